"""`graft leaderboard`: every trial of an experiment, best first."""

from graft.cli.options import ExperimentArgument, HomeOption, JsonOption
from graft.cli.output.tell import tell_json
from graft.core.storage import Home


def command(experiment: ExperimentArgument = "latest", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show all trials of an experiment, best first, with the reason why each one ended.

    Example: graft leaderboard digits
    """
    from graft.cli.output.tables import print_leaderboard
    from graft.experiments.directory import find_recorded
    from graft.experiments.progress import Progress
    from graft.experiments.standing.leaderboard import leaderboard

    found = find_recorded(Home.find(home), experiment)
    job = found.job()
    metric = job.objective
    rows = leaderboard(Progress.of(found.journal_file, job))
    if as_json:
        tell_json({"experiment": found.name, "metric": metric.name, "trials": rows})
        return
    print_leaderboard(rows, metric.name, limit=None)
