"""`graft lineage`: who copied whom in a population, when, and what changed."""

from graft.cli.options import ExperimentArgument, HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.storage import Home


def command(experiment: ExperimentArgument = "latest", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Draw which trials of a population copied from which, and the schedule that the winner was trained under.

    Example: graft lineage digits
    """
    from graft.experiments.directory import find_recorded
    from graft.experiments.history import SearchHistory
    from graft.experiments.progress import Progress
    from graft.journal.journal import read
    from graft.search.timeline import timeline

    found = find_recorded(Home.find(home), experiment)
    job = found.job()
    history = SearchHistory(job.objective)
    for _, event in read(found.journal_file):
        history.apply(event)
    progress = Progress.of(found.journal_file, job)
    lineage = history.lineage(progress)
    if as_json:
        tell_json({"experiment": found.name, **lineage.to_dict()})
        return
    reached = {name: trial.epoch for name, trial in progress.trials.items()}
    for line in timeline(lineage, reached):
        tell(line)
    for copied in lineage.events:
        tell(f"epoch {copied.epoch}  {copied.trial} <- {copied.donor.trial}  {copied.reason}")
