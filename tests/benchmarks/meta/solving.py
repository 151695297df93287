"""Heads that are solved first, in their fixed order and in the one that a memory recommends, on recorded values."""

from collections.abc import Mapping, Sequence

from meta.replay import BankTask, alike

from graft.core.seeds import derive_seed
from graft.meta.memory.records import HeldMemory, Record, TaskEntry
from graft.meta.recommend.advice import Question, prior_for
from graft.meta.recommend.head_order import First, Work, in_recommended_order
from graft.meta.recommend.prior import NO_PRIOR
from graft.spec.defaults.closed_form import IN_TURN, Size
from graft.spec.defaults.head_seconds import seconds_of
from graft.spec.modalities.base import ModalitySpec
from graft.spec.modalities.image_defaults import feature_sides
from graft.spec.modalities.text_defaults import feature_lengths, seconds_at
from graft.spec.registry import members
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

SAME = 0.005
# Where nobody has told how many rows a task has.
_ROWS = 500
_LEAST = 0.02
FEWEST = 4
"""Heads of a task; with fewer there is nothing to put in order."""
SIZES: Mapping[str, tuple[Size, ...]] = {
    "image": feature_sides(are_small=True),
    "text": (Size({"max_tokens": 32}, seconds_at(32) / 3), *feature_lengths()),
}
"""Those of the bank."""


def solved_heads(task: BankTask) -> tuple[Strategy, ...]:
    """The heads of a task that a default search would solve, in its fixed order."""
    spec = members("modality")[task.modality]
    backbone = spec.default_backbone if issubclass(spec, ModalitySpec) else ""
    kinds = [kind for _, kind in IN_TURN]
    found = [one for one in task.curves if one.head.kind in kinds and one.backbone == backbone]

    def turn(one: Strategy) -> tuple[int, int]:
        return _size(one), IN_TURN.index((1.0 if one.structure.keep == 1 else 0.7, one.head.kind))

    return tuple(sorted(found, key=turn))


def in_order_of(
    records: Sequence[Record], task: BankTask, entries: Sequence[TaskEntry], slots: int
) -> tuple[Strategy, ...]:
    """The same in the order that a memory recommends.

    Args:
        records: what is remembered.
        task: whose heads are solved.
        entries: what tasks are like.
        slots: trials at a time.
    """
    heads = solved_heads(task)
    rows = next((one.rows for one in entries if one.task == task.name), _ROWS)
    works = []
    for one in heads:
        seconds = seconds_of(one, SIZES[task.modality], rows, rows)
        works.append(seconds and Work(str(_size(one)), *seconds, one.structure.keep == 1))
    question = Question(
        StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-2]}, "backbone": heads[0].backbone}),
        Strategy.canonical,
        task.modality,
        "classification",
        alike(task.name, entries),
        seed=derive_seed(0, task.name),
        first=First(heads, tuple(works), slots),
    )
    prior = prior_for(HeldMemory(list(records)), question) if records else NO_PRIOR
    return in_recommended_order(heads, prior)


def seconds_to_the_best(task: BankTask, order: Sequence[Strategy], slots: int) -> float:
    """Recorded seconds until a head is within half a point of the best of them.

    A pass takes what the quickest head on its features took. The first head of a size pays it, and whoever needs it at
    the same time waits.
    """
    passing: dict[tuple[int, bool], float] = {}
    for one in order:
        passing[_pass_of(one)] = min(task.curves[one].seconds[1], passing.get(_pass_of(one), float("inf")))
    best = max(task.curves[one].best for one in order)
    free, ready, found = [0.0] * slots, dict[int, float](), float("inf")
    for one in order:
        now = min(free)
        free.remove(now)
        began = max(now, ready.setdefault(_size(one), now + passing[_pass_of(one)]))
        ended = began + max(_LEAST, task.curves[one].seconds[1] - passing[_pass_of(one)])
        free.append(ended)
        if task.curves[one].best >= best - SAME:
            found = min(found, ended)
    return found


def _pass_of(one: Strategy) -> tuple[int, bool]:
    return _size(one), one.structure.keep == 1


def _size(one: Strategy) -> int:
    return int(getattr(one, "resolution", None) or getattr(one, "max_tokens", None) or 0)
