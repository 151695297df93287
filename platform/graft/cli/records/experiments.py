"""`graft experiments`: what has been run."""

from typing import TYPE_CHECKING, Any

from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import GraftError
from graft.core.storage import Home
from graft.spec.messages.counting import counted

if TYPE_CHECKING:
    from graft.experiments.directory import Experiment


def command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the experiments of a home, meta-trainings among them, newest first."""
    from graft.experiments.directory import recorded
    from graft.spec.metrics import shown

    place = Home.find(home)
    rows = [_row(one) for one in recorded(place)]
    if as_json:
        tell_json(rows)
        return
    for row in rows:
        score = shown(row["validation"])
        tell(f"{row['experiment']}  {row['status']}  {counted(row['trials'], 'trial')}  best validation {score}")
    if not rows:
        tell(f"no experiments in {place.experiments}; start one with `graft run JOB`")


def _row(experiment: "Experiment") -> dict[str, Any]:
    from graft.experiments.progress import Progress

    row: dict[str, Any] = {"experiment": experiment.name, "trials": 0, "validation": None}
    try:
        progress = Progress.of(experiment.journal_file, experiment.job())
    except GraftError as error:  # one damaged experiment must not hide the others
        return {**row, "status": f"damaged: {error}"}
    best = next(iter(progress.ranked()), None)
    return {
        **row,
        "status": str(progress.status or "running or killed"),
        "trials": progress.counts()["total"],
        "validation": progress.score(best) if best else None,
    }
