"""`graft explore`: label a pool until enough is known."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.interruption import goes_on_when_repeated
from graft.cli.options import HomeOption, JsonOption, SetOption
from graft.cli.output.tell import tell, tell_json
from graft.core.process_identity import user_name

if TYPE_CHECKING:
    from graft.core.storage import Home
    from graft.pipeline.exploration.ending import Ending
    from graft.pipeline.exploration.explore import Exploration
    from graft.pipeline.exploration.explored import Explored
    from graft.pipeline.exploration.pool import Pool
    from graft.pipeline.exploration.sources import Answer, LabelSource
    from graft.pipeline.exploration.standing import Standing

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
    confidence: Annotated[
        float | None, typer.Option("--confidence", help="How sure you want to be of it.", show_default="0.95")
    ] = None,
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
    page: Annotated[
        bool, typer.Option("--page", help="You are asked on a page of this machine, which shows the samples.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Of the page; 0 for any that is free.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page, if there is a display.")
    ] = True,
    sample: Annotated[str | None, typer.Option("--sample", metavar="COLUMN", help="Texts of a table.")] = None,
    proposer: Annotated[
        str, typer.Option("--proposer", help="What chooses samples; see `graft components proposer`.")
    ] = "herding",
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="NAME", help="Else the job's, or the usual one.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the exploration; else the pool's.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is random.")] = 0,
    experiment: Annotated[
        bool,
        typer.Option(
            "--experiment/--no-experiment", help="End in one: fit, test on untouched samples, register if reached."
        ),
    ] = True,
    override: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Label the samples that teach the most, until the model is shown to be good enough, or that it never will be.

    Some samples are drawn at random and only judge the model. They give the estimate, and a certificate that is wrong
    in 5 runs of 100 at most, however often one looks. Answers are kept: the same command goes on where it was stopped.
    Exit code 0: reached, or labels are wanted; 1: it cannot be reached, or the budget is spent.

    Example: graft explore photos --require "accuracy >= 0.9" --budget 300

    Example: graft explore photos --page

    Example: graft explore tickets.csv --sample text --labels answers.csv

    Example: graft explore flowers --oracle folders --json

    Example: graft explore letters --set 'strategy.init={kind: meta, source: glyphs}' --set strategy.resolution=64
    """
    from graft.core.errors import SpecError
    from graft.core.storage import Home
    from graft.core.uris import advice_for_missing, is_there
    from graft.data.overview import told_ignored
    from graft.data.remote.here import copies_in
    from graft.experiments.directory import require_name
    from graft.exploration.requirement import read_requirement
    from graft.pipeline.exploration.place import job_of_pool, pool_name
    from graft.spec.meta.proposers import ProposerSpec
    from graft.spec.registry import members

    required = read_requirement(require, confidence)
    kinds = members("proposer")
    if proposer not in kinds:
        raise SpecError(f"--proposer is `{proposer}`, but must be one of {', '.join(kinds)}")
    answering = [name for name, given in (("--labels", labels), ("--oracle", oracle), ("--page", page)) if given]
    if len(answering) > 1:
        raise SpecError(f"{' and '.join(answering)} are both given, but one of them answers; leave one out")
    chosen = kinds[proposer].model_validate({})
    assert isinstance(chosen, ProposerSpec)
    if labels is not None and not is_there(labels):
        raise SpecError(f"--labels is {labels}, which does not exist; {advice_for_missing(labels)}")
    overrides = tuple(override or ())
    called = require_name(name or pool_name(pool, job_of_pool(pool, overrides)))
    place = Home.find(home)
    place.require_writable()
    from graft.pipeline.exploration.explore import Exploration  # torch takes seconds
    from graft.pipeline.exploration.pool import Wish, find_pool
    from graft.pipeline.exploration.settings import Settings
    from graft.pipeline.exploration.start import begun_with

    with copies_in(place):
        found = find_pool(pool, Wish(sample, oracle, backbone, overrides, begun_with(place, called)))
    settings = Settings(required, budget, seed, chosen)
    source = None if page else _source(found, labels)  # a wrong file of labels is told before the samples are read
    seen = f", seen by {found.embedding.about}" if found.meta_model else ""
    tell(f"{len(found.ids):,} samples in {found.source}{seen}; what is required: {required}", err=True)
    if found.ignored:
        tell(f"left out: {told_ignored(found.ignored)}", err=True)
    with (
        goes_on_when_repeated("the answers are kept"),
        Exploration(place, called, found, settings, _reading) as one,
    ):
        explored = one.run(source, _standing) if source else _by_page(one, port, browser)
        ending = _ended(one, explored, place, as_json) if experiment and explored.is_over else None
    told = {**explored.to_dict(), "ignored": [one.to_dict() for one in found.ignored]}
    told |= ending.to_dict() if ending else {}
    if as_json:
        tell_json(told)
    else:
        tell(*_lines(explored, ending))
    if explored.stopped_by not in ("reached", "labels wanted"):
        raise typer.Exit(1)


def _reading(done: int, of: int) -> None:
    tell(f"read {done:,} of {of:,} samples", err=True)


def _standing(standing: "Standing") -> None:
    tell(str(standing), err=True)


def _ended(exploration: "Exploration", explored: "Explored", home: "Home", as_json: bool) -> "Ending":
    """The experiment that it ends in, run to its end; one that has been run says so again."""
    from graft.cli.jobs.run import Manner, run_displayed
    from graft.core.storage import read_json
    from graft.pipeline.exploration.ending import Ending, Labelled, experiment_of

    pool = exploration.asked
    labelled = Labelled.of(explored.labels, exploration.pool.ids, len(pool.tests))
    found = experiment_of(explored.directory, pool, labelled, home, explored.standing.certified)
    if isinstance(found, str):
        return Ending(problem=found)
    if found.result_file.is_file():
        return Ending(found.name, read_json(found.result_file), tests=labelled.tests)
    tell(f"{explored.stopped_by}: {explored.detail}", f"experiment {found.name} begins", err=True)
    result = run_displayed(found, home, Manner(is_plain=as_json))
    return Ending(found.name, result.summary, tests=labelled.tests)


def _by_page(exploration: "Exploration", port: int, browser: bool) -> "Explored":
    """Ask on a page, until nothing is left to ask; its address is told here only."""
    from graft.cli.output.browser import has_display, opened
    from graft.pipeline.exploration.page.application import LabelPage
    from graft.pipeline.exploration.page.desk import Desk
    from graft.pipeline.exploration.page.server import serving

    pool, settings = exploration.asked, exploration.settings
    desk = Desk(f"page {user_name()}", pool.exhibit, pool.names)

    def known(standing: "Standing") -> None:
        desk.know(standing)
        _standing(standing)

    title, seen_by = exploration.directory.name, pool.embedding.about
    shown = LabelPage(desk, settings.requirement, settings.budget, title, seen_by)
    with serving(shown, port) as address, contextlib.ExitStack() as stack:
        tell(f"label here: {address}", err=True)
        tell("Whoever has this address can label, so keep it to yourself. Ctrl-C stops for now.", err=True)
        if browser and has_display():
            stack.enter_context(opened(address))
        explored = exploration.run(desk, known)
        desk.close(f"{explored.stopped_by}: {explored.detail}")
    return explored


def _source(pool: "Pool", labels: Path | None) -> "LabelSource":
    from graft.pipeline.exploration.sources import Called, Oracle, labels_of_file

    if pool.truth is not None:
        return Oracle(dict(zip(pool.ids, pool.truth, strict=True)))
    if labels is not None:
        return labels_of_file(labels, set(pool.ids))
    samples = dict(zip(pool.ids, pool.samples, strict=True))
    return Called(lambda one, why: _prompted(one, samples.get(one), why), f"terminal {user_name()}")


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
        tell("", err=True)  # the end of the input ends no line
        given = ""
    if not given.strip():
        return None
    return Answer(None if given.strip() == SKIP else given.strip())


def _lines(explored: "Explored", ending: "Ending | None") -> list[str]:
    told = [f"{explored.stopped_by}: {explored.detail}", str(explored.standing)]
    if explored.left_out:
        first = next(iter(explored.left_out.items()))
        told.append(f"left out: {len(explored.left_out)} samples, such as {first[0]}, which {first[1]}")
    if ending:
        told.append(str(ending))
    bundle = (ending.to_dict().get("bundle") if ending else None) or explored.bundle
    if bundle:
        told.append(f"the model: graft predict {bundle} FILE…")
    return told
