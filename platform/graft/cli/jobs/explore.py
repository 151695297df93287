"""`graft explore`: label a pool until enough is known."""

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell

if TYPE_CHECKING:
    from graft.pipeline.exploration.explore import Explored
    from graft.pipeline.exploration.pool import Pool
    from graft.pipeline.exploration.sources import Answer, LabelSource

SKIP = "?"


def command(  # noqa: PLR0913 - each is an option
    pool: Annotated[
        Path,
        typer.Argument(
            metavar="JOB|PATH", show_default=False, help="A folder of samples, a table of texts, or a job file."
        ),
    ],
    require: Annotated[str, typer.Option("--require", metavar="RULE", help="What the model must reach.")] = (
        "accuracy >= 0.9"
    ),
    confidence: Annotated[float, typer.Option("--confidence", help="How sure you want to be of it.")] = 0.95,
    budget: Annotated[
        int, typer.Option("--budget", min=1, max=100_000, help="Most labels, those of the audit too.")
    ] = 300,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="CSV with id and label, which may grow; else you are asked."),
    ] = None,
    oracle: Annotated[
        str | None,
        typer.Option(
            "--oracle", metavar="COLUMN|folders|labels", help="The pool knows its labels: try how many it would take."
        ),
    ] = None,
    sample: Annotated[str | None, typer.Option("--sample", metavar="COLUMN", help="Texts of a table.")] = None,
    proposer: Annotated[
        str, typer.Option("--proposer", help="What chooses samples; see `graft components proposer`.")
    ] = "typiclust_then_margin",
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="NAME", help="Else the job's, or the usual one.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the exploration; else the pool's.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is random.")] = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Label the samples that teach the most, until the model is shown to be good enough, or that it never will be.

    Some samples are drawn at random and only judge the model. They give the estimate, and a certificate that is wrong
    in 5 runs of 100 at most, however often one looks. Answers are kept: the same command goes on where it was stopped.
    Exit code 0: reached, or labels are wanted; 1: it cannot be reached, or the budget is spent.

    Example: graft explore photos --require "accuracy >= 0.9" --budget 300

    Example: graft explore tickets.csv --sample text --labels answers.csv

    Example: graft explore flowers --oracle folders --json
    """
    from graft.core.errors import SpecError
    from graft.core.storage import Home
    from graft.experiments.directory import require_name
    from graft.exploration.requirement import read_requirement
    from graft.pipeline.exploration.explore import Exploration, Settings
    from graft.pipeline.exploration.pool import find_pool
    from graft.spec.meta.proposers import ProposerSpec
    from graft.spec.registry import members

    required = read_requirement(require, confidence)
    kinds = members("proposer")
    if proposer not in kinds:
        raise SpecError(f"--proposer is `{proposer}`, but must be one of {', '.join(kinds)}")
    if labels and oracle:
        raise SpecError("--labels and --oracle are both given, but one of them answers; leave one out")
    chosen = kinds[proposer].model_validate({})
    assert isinstance(chosen, ProposerSpec)
    place = Home.find(home)
    place.require_writable()
    found = find_pool(pool, sample, oracle, backbone)
    settings, called = Settings(required, budget, seed, chosen), require_name(name or found.name)
    tell(f"{len(found.ids):,} samples in {found.source}; what is required: {required}", err=True)
    with Exploration(
        place, called, found, settings, lambda done, of: tell(f"read {done:,} of {of:,}", err=True)
    ) as one:
        explored = one.run(_source(found, labels), lambda standing: tell(str(standing), err=True))
    tell(*([json.dumps(explored.to_dict())] if as_json else _lines(explored)))
    if explored.stopped_by not in ("reached", "labels wanted"):
        raise typer.Exit(1)


def _reading(done: int, of: int) -> None:
    tell(f"read {done:,} of {of:,} samples", err=True)


def _source(pool: "Pool", labels: Path | None) -> "LabelSource":
    from graft.pipeline.exploration.sources import Called, Oracle, labels_of_file

    if pool.truth is not None:
        return Oracle(dict(zip(pool.ids, pool.truth, strict=True)))
    if labels is not None:
        return labels_of_file(labels, set(pool.ids))
    samples = dict(zip(pool.ids, pool.samples, strict=True))
    return Called(lambda one, why: _prompted(one, samples[one], why), f"terminal {getpass.getuser()}")


def _prompted(name: str, sample: object, why: str) -> "Answer | None":
    """What a person types; nothing, or the end of the input, stops for now."""
    from graft.pipeline.exploration.sources import Answer

    text = getattr(sample, "text", None)
    tell("", f"{name}  ({why})", *([str(text)[:500]] if text else []), err=True)
    try:
        given = typer.prompt(
            f"label (`{SKIP}`: cannot be told; empty: stop for now)", default="", show_default=False, err=True
        )
    except typer.Abort:
        given = ""
    if not given.strip():
        return None
    return Answer(None if given.strip() == SKIP else given.strip())


def _lines(explored: "Explored") -> list[str]:
    told = [f"{explored.stopped_by}: {explored.detail}", str(explored.standing)]
    if explored.left_out:
        first = next(iter(explored.left_out.items()))
        told.append(f"left out: {len(explored.left_out)} that cannot be read, such as {first[0]}, which {first[1]}")
    if explored.bundle:
        told.append(f"the model, fitted to all labels: graft predict {explored.bundle} FILE…")
    return told
