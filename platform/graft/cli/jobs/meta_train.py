"""`graft meta-train`: learn from the tasks of a labelled set what makes the next one easy."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TextIO

import typer

from graft.cli.interruption import goes_on_when_repeated
from graft.cli.options import HomeOption, JobArgument, JsonOption, SetOption
from graft.cli.output.captured_output import chatter_to
from graft.cli.output.looking import working
from graft.cli.output.tell import tell, tell_json
from graft.core.storage import Home

MOST_TOLD = 10
"""Trials of a search that are listed."""


def command(
    job: JobArgument,
    update: Annotated[
        bool,
        typer.Option("--update", help="Go on from the meta-model of that name; it is replaced if that is not worse."),
    ] = False,
    override: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Meta-train as a job with `kind: meta` says, and leave a meta-model; one that was cut off goes on.

    Example: graft meta-train jobs/wordnet_meta.yaml

    Example: graft meta-train jobs/wordnet_meta.yaml --update --set data.path=new
    """
    from graft.spec.load import load_meta_job_here

    loaded = load_meta_job_here(job, override or ())
    place = Home.find(home)
    place.require_writable()
    from graft.pipeline.episodes.run import meta_train  # torch takes seconds
    from graft.pipeline.episodes.samples import pool_of

    # What Ray prints is of no use here: what goes wrong is raised.
    with (
        goes_on_when_repeated("finished epochs are kept"),
        tempfile.TemporaryDirectory() as scratch,
        chatter_to(Path(scratch, "log")) as terminal,
    ):
        pool = pool_of(loaded, place, working(terminal.err))
        result = meta_train(loaded, place, pool, lambda *report: _tell_epoch(terminal.err, *report), update)
    if as_json:
        tell_json(result.to_json())
        return
    for trial in result.trained.trials[:MOST_TOLD]:
        score = "-" if trial["accuracy"] is None else f"{trial['accuracy']:.3f}"
        tell(f"{trial['trial']:<5} {score}  {trial['epochs']:>3} epochs  {trial['status']:<10} {trial['strategy']}")
    for protocol, one in result.scores.items():
        tell(f"{protocol:<8} {one.ours}   prototypes {one.prototypes}   gain {one.gain}")
    tell(f"{result.kept.role}: {result.kept.reason}", f"{result.model.spec.about}: {result.model.directory}")
    if result.note:
        tell(result.note, err=True)


def _tell_epoch(stream: TextIO, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
    if "train/loss" in metrics:  # an epoch that was trained before a crash, and is only told now, has none
        score, spread = metrics["val/accuracy"], metrics["val/half_width"]
        told = f"epoch {epoch:>3}  loss {metrics['train/loss']:.3f}  held-out tasks {score:.3f} ± {spread:.3f}"
        tell(f"{trial}  {told}", stream=stream)
