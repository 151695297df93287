"""`graft experiments`: what has been run."""

import json

import typer

from graft.cli.options import HomeOption, JsonOption
from graft.core.storage import Home


def command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the experiments of a home, newest first."""
    from graft.pipeline.experiment import Experiment
    from graft.pipeline.progress import Progress

    place = Home.find(home)
    rows = []
    for name in Experiment.names(place):
        experiment = Experiment(place.experiments / name)
        progress = Progress.of(experiment.journal_file, experiment.job())
        best = next(iter(progress.ranked()), None)
        rows.append(
            {
                "experiment": name,
                "status": str(progress.status or "running or killed"),
                "trials": progress.counts()["total"],
                "validation": progress.score(best) if best else None,
            }
        )
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        score = "–" if row["validation"] is None else f"{row['validation']:.4f}"
        typer.echo(f"{row['experiment']}  {row['status']}  {row['trials']} trials  best validation {score}")
    if not rows:
        typer.echo(f"no experiments in {place.experiments}; start one with `graft run JOB`")
