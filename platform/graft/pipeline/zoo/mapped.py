"""Weights that come from another network: what a job names is settled before it runs, and `graft zoo map` tries it."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.core.storage import Home
from graft.data.remote.here import home_of_copies
from graft.models.load import check_backbone, size_problem
from graft.models.mapping.source import Source, find_source
from graft.models.weights.header import file_problem
from graft.models.zoo import has_backbone
from graft.pipeline.zoo.own_heads import needing_head
from graft.spec.components.initialisation import Mapped
from graft.spec.job import Job
from graft.tracking.model_uri import SCHEME

_KIND = "mapped"
_WHERE = "strategy.init"


@dataclass(frozen=True)
class Tried:
    """A mapping that was tried.

    Attributes:
        source: what was mapped, as it was found.
        target: the backbone that was filled.
        size: of its inputs.
        report: what became of every tensor (`Transplanted.to_json`).
        comparison: what both make of real samples; None where the source cannot be run.
        lines: both for people.
    """

    source: str
    target: str
    size: int
    report: Mapping[str, Any]
    comparison: Mapping[str, Any] | None
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; the report's lists stand at the top."""
        told = {"source": self.source, "target": self.target, "size": self.size}
        return {**told, **self.report, "comparison": self.comparison}


def try_mapping(source: str, target: str, size: int | None, min_coverage: float, home: Home) -> Tried:
    """Map a source to a backbone, and compare what both make of real samples.

    Args:
        source: a backbone, a file, a folder, a bundle, an experiment, or ``models:/NAME``.
        target: a backbone.
        size: of the inputs; None means the bundle's, or native.
        min_coverage: share of the target's parameters below which the mapping is refused.
        home: whose experiments and models are meant.

    Raises:
        SpecError: one of them is not there or damaged, they do not belong together, or the source fills too little; as
            a job that names them is refused.
        ArtifactError: an experiment has no bundle, or a registered model is not what was registered.
    """
    found = located(source, home)
    if problem := check_backbone(target, weights=False) or _size_problem(found, target, size):
        raise SpecError(problem)
    from graft.learner.mapped.backbone import map_backbone
    from graft.learner.mapped.comparison import compare

    try:
        mapped = map_backbone(found, target, size, min_coverage)
    except ArtifactError as error:
        raise SpecError(str(error)) from error
    comparison = compare(mapped)
    lines = [str(mapped.report), *(f"note: {note}" for note in mapped.report.notes)]
    lines.append(str(comparison) if comparison else "the source is a file, so its function cannot be compared")
    report = mapped.report.to_json()
    return Tried(found.name, target, mapped.size, report, comparison.to_json() if comparison else None, tuple(lines))


def located(source: str, home: Home) -> Source:
    """What a source is; registered models and experiments are found as `graft predict` finds them.

    Raises:
        SpecError: nothing of that name is there.
        ArtifactError: the experiment has no bundle, or a registered model is not what was registered.
        TrackingError: the store does not answer.
    """
    if source.startswith(SCHEME):
        from graft.experiments.find_bundle import find_registered  # torch is imported only for jobs that name one

        registered = find_registered(source, home)
        return replace(find_source(str(registered.directory.absolute())), version=registered.uri)
    try:
        return find_source(source)
    except SpecError as error:
        if ":" in source or "/" in source or "." in source:
            raise
        try:
            return find_source(_bundle(source, home))
        except SpecError:
            raise error from None


def _size_problem(source: Source, target: str, size: int | None) -> str | None:
    """Why one of both networks cannot take inputs of a size; the one of a bundle has taken its own."""
    if size is None:
        return None
    names = [*([source.name] if source.kind == "backbone" else []), target]
    return next((f"--size {told}" for name in names if (told := size_problem(name, size))), None)


def settle_sources(raw: dict[str, Any]) -> list[Problem]:
    """Write into a job where each of its sources lies, and its digest: what it means stays the same for ever.

    Args:
        raw: the job as plain data, changed in place. A source that has a digest already is left as it is.
    """
    problems = []
    strategies = [raw["strategy"], *(raw["search"].get("first") or ())]
    for init in (found for strategy in strategies for found in _mapped_in(strategy.get("init"))):
        source = init.get("source")
        if isinstance(source, Mapping):
            problems.append(
                Problem(f"{_WHERE}.source", "is a distribution, but each option must be an init of its own")
            )
        elif source and not init.get("digest"):
            try:
                found = located(source, home_of_copies())
                if found.kind == "file" and (problem := file_problem(Path(found.name))):
                    raise ArtifactError(problem)
                init["source"], init["digest"] = found.name, found.digest()
                init |= {"version": found.version} if found.version else {}
            except (SpecError, ArtifactError) as error:
                problems.append(Problem(f"{_WHERE}.source", str(error)))
    return problems


def init_problems(job: Job) -> Iterator[Problem]:
    """Inits of a settled job that a backbone of it cannot have, as far as that shows without reading weights."""
    if not inits_of(job):
        return
    from graft.learner.mapped.backbone import init_problem

    for kind in needing_head(job):
        told = f"is {kind}, which needs the head that the weights were trained with, but strategy.init maps others"
        yield Problem("strategy.penalty", f"{told}; leave one of both out")

    pairs = itertools.product((init for init in inits_of(job) if init.source), job.reach.values("backbone"))
    found = (init_problem(init, name) for init, name in pairs if has_backbone(name))
    yield from dict.fromkeys(problem for problem in found if problem)


def check_inits(job: Job) -> None:
    """Map every source to every backbone once, before anything expensive starts.

    Raises:
        SpecError: a source is gone, has changed since the job began, is damaged, or fills too little.
    """
    inits = inits_of(job)
    if not inits:
        return
    from graft.learner.mapped.backbone import map_backbone, require_digest

    problems = []
    for init, name in itertools.product(inits, job.reach.values("backbone")):
        try:
            source = find_source(init.source)
            require_digest(source, init.digest)
            map_backbone(source, name, None, init.min_coverage)
        except (SpecError, ArtifactError) as error:
            problems.append(Problem(_WHERE, str(error)))
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))


def inits_of(job: Job) -> tuple[Mapped, ...]:
    """The mapped starts that strategies of a job may have."""
    found = _mapped_in(job.reach.dump().get("init"))
    return tuple(dict.fromkeys(Mapped.model_validate(init) for init in found))


def needs_own_weights(job: Job) -> bool:
    """Whether a strategy of a job may start from its backbone's own weights."""
    return set(job.reach.values("init")) != {_KIND}


def _mapped_in(init: Any) -> Iterator[dict[str, Any]]:
    """The mapped options of an init as a space has it."""
    if not isinstance(init, dict):
        return
    if init.get("kind") == _KIND:
        yield init
    for option in init.get("choice", ()):
        yield from _mapped_in(option)


def _bundle(name: str, home: Home) -> str:
    """The directory of an experiment's bundle; torch is imported only for jobs that name one."""
    from graft.experiments.find_bundle import find_bundle

    return str(find_bundle(name, home).absolute())
