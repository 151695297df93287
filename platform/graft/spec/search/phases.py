"""The phases of a search as they will be run: every default decided."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from graft.spec.messages.counting import counted
from graft.spec.search.budget import DEFAULT_TRIALS
from graft.spec.search.schedulers import OneEpochTopK
from graft.spec.search.search import PhaseSpec, SearchSpec


@dataclass(frozen=True)
class Phase:
    """One phase.

    Attributes:
        index: from 0.
        scheduler: its spec.
        searcher: its spec.
        trials: how many it tries at most; None is no limit of its own.
        epochs: what a trial has trained, from its very start, when it has come to the end of the phase.
        from_top: whether it goes on from the best trials of the phase before.
        is_population_based: whether trials copy from each other.
        feeds_next: whether the next phase goes on from its best trials.
    """

    index: int
    scheduler: Any
    searcher: Any
    trials: int | None
    epochs: int
    from_top: bool
    is_population_based: bool
    feeds_next: bool


def phases_of(search: SearchSpec, epochs: int) -> tuple[Phase, ...]:
    """The phases of a search whose trials train at most `epochs`."""
    specs = search.phases or [
        PhaseSpec(scheduler=search.scheduler, searcher=search.searcher, population=search.population)
    ]
    ends = [end for chain in _chains(specs) for end in _chain_ends(chain, epochs)]
    most = search.budget.most_trials
    return tuple(
        Phase(
            index=index,
            scheduler=spec.scheduler,
            searcher=spec.searcher,
            trials=_trials(spec, most, alone=len(specs) == 1),
            epochs=end,
            from_top=spec.start == "top",
            is_population_based=spec.is_population_based,
            feeds_next=index + 1 < len(specs) and specs[index + 1].start == "top",
        )
        for index, (spec, end) in enumerate(zip(specs, ends, strict=True))
    )


def least_epochs(search: SearchSpec) -> int:
    """The fewest epochs of a training in which all phases come to their ends and their comparisons."""
    specs = search.phases or [PhaseSpec(scheduler=search.scheduler)]
    least = [max(one.epochs or 0, len(specs) * (one.scheduler.first_comparison() or ("", 1))[1]) for one in specs]
    return max(least) + sum(one.start == "top" for one in specs)


def can_shorten(search: SearchSpec) -> bool:
    """Whether its trainings may plan fewer epochs than the job has: nobody goes on from where they are to end."""
    return not search.phases and not search.scheduler.is_population_based


def total_trials(phases: tuple[Phase, ...]) -> int | None:
    """How many trials there are at most; None is no limit."""
    sizes = [phase.trials for phase in phases]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def drawn_from(phases: tuple[Phase, ...], strategies: int | None) -> tuple[Phase, ...]:
    """The phases where there are only so many strategies to draw, of which none is trained twice; None: without end."""

    def trials(phase: Phase) -> int | None:
        is_drawn = not phase.from_top and not phase.is_population_based
        return min(phase.trials or strategies, strategies) if is_drawn and strategies else phase.trials

    return tuple(replace(phase, trials=trials(phase)) for phase in phases)


def describe(phases: tuple[Phase, ...], strategies: int | None = None, is_open: bool = False) -> str:
    """The phases on one line.

    Args:
        phases: which.
        strategies: how many there are to draw; None: without end.
        is_open: whether the job leaves its epochs to what its samples ask for.
    """
    return ", then ".join(
        f"{_trials_in_words(phase.trials)} ({phase.scheduler.kind})"
        + ("" if is_open else f", at most {counted(phase.epochs, 'epoch')} each")
        for phase in drawn_from(phases, strategies)
    )


def _trials_in_words(trials: int | None) -> str:
    if trials is None:
        return "trials until the budget ends"
    return "1 trial" if trials == 1 else f"{trials} trials"


def _trials(spec: PhaseSpec, most: int | None, alone: bool) -> int | None:
    """A phase that is not the only one, or that compares all its trials, needs an end of its own."""
    if spec.size is not None:
        return spec.size
    needs_end = not alone or isinstance(spec.scheduler, OneEpochTopK)
    return most or (DEFAULT_TRIALS if needs_end else None)


def _chains(specs: list[PhaseSpec]) -> Iterator[list[PhaseSpec]]:
    """Runs of phases that build on each other."""
    chain: list[PhaseSpec] = []
    for spec in specs:
        if chain and spec.start == "space":
            yield chain
            chain = []
        chain.append(spec)
    yield chain


def _chain_ends(chain: list[PhaseSpec], epochs: int) -> Iterator[int]:
    for place, spec in enumerate(chain, start=1):
        yield spec.epochs or math.ceil(epochs * place / len(chain))
