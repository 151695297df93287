"""Which heads are solved before anything is trained: a model within seconds, and what every training has to beat. The
figures behind it are in docs/closed_form.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graft.spec.components.head import HeadSpec
from graft.spec.defaults.scale import Scale
from graft.spec.registry import members

IN_TURN = ((1.0, "ridge"), (0.7, "logistic"), (0.7, "ridge"), (1.0, "logistic"))
"""Shares of the blocks, and heads on their features, for each size: all blocks, and those before the last ones, which
know the least of samples that are unlike what the network was trained on. One pass through the network gives the
features of both."""
SLOW = (1.0, "logistic")
"""Takes longer than the others together, often as long as the pass of the next size, so it comes behind all others."""
SHARE = 0.25
"""Of the time of a job, and of its trials, that goes to heads that are solved."""
AHEAD = 0.05
"""Of the time of a job, that the passes of the two smallest sizes may take where a training waits for them."""

# With more, each round of a solver for all classes together takes longer than a training.
_MOST_OUTPUTS, _MOST_PRODUCTS = 1000, 20_000_000
# More are not fitted to at once: their features do not fit into memory (`learner.closed_form`).
_MOST_ROWS = 200_000


@dataclass(frozen=True)
class Size:
    """A size of the samples that features are computed at.

    Attributes:
        fields: of a strategy.
        seconds: that one core takes for the features of one sample.
    """

    fields: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True)
class Beside:
    """A solved head on features that are unlike those of the default backbone: it errs on other samples.

    Attributes:
        fields: of a strategy, all that it needs.
        head: its kind.
        seconds: that one core takes at most, whatever the number of rows.
        seconds_each: that it takes for each row besides.
        most_rows: that it is solved for, training and validation together: beyond, memory or time would not do.
    """

    fields: Mapping[str, Any]
    head: str
    seconds: float = 0.0
    seconds_each: float = 0.0
    most_rows: int = _MOST_ROWS

    def suits(self, link: str, scale: Scale) -> bool:
        """Whether there is time and memory for it."""
        rows = scale.training + scale.validation
        seconds = self.seconds + rows * self.seconds_each
        has_time = scale.minutes is None or scale.minutes * 60 * SHARE >= seconds
        return rows <= self.most_rows and has_time and scale.outputs <= _MOST_OUTPUTS and _fits(self.head, link, scale)


@dataclass(frozen=True)
class SolvedFirst:
    """Strategies whose heads are solved, the quickest first.

    Attributes:
        ahead: of the longest training: those that are quick, so that there is a good model within seconds.
        beside: that training.
    """

    ahead: tuple[Mapping[str, Any], ...] = ()
    beside: tuple[Mapping[str, Any], ...] = ()

    @property
    def all(self) -> tuple[Mapping[str, Any], ...]:
        """In their order."""
        return (*self.ahead, *self.beside)


def solved_first(link: str, sizes: Sequence[Size], scale: Scale, besides: Sequence[Beside] = ()) -> SolvedFirst:
    """Strategies whose heads are solved; none where the task or the data leaves no room for them.

    Args:
        link: how the outputs of the task are read (`TaskSpec.link`).
        sizes: that the modality would look at.
        scale: how many samples there are, and how much time.
        besides: heads on other features, of which there are none if there is one trial for all.
    """
    in_turn = [one for one in IN_TURN if _fits(one[1], link, scale)]
    if not in_turn or scale.training > _MOST_ROWS:
        return SolvedFirst()
    affordable = tuple(_affordable(sizes, scale))
    most = None if scale.trials is None else int(scale.trials * SHARE)
    others = tuple(one.fields for one in besides if one.suits(link, scale))
    if most is not None:
        others = others[: max(0, most - 1)]
        most -= len(others)
    found = [(size, one) for size in affordable for one in in_turn][:most]
    quick = [_strategy(*one) for one in found if one[1] != SLOW]
    slow = [_strategy(*one) for one in found if one[1] == SLOW]
    each = sum(one != SLOW for one in in_turn)
    if len(quick) <= each or not _can_wait(affordable[:2], scale):
        return SolvedFirst(tuple(quick[:1]), (*quick[1:], *others, *slow))
    # Two processes, each with a pass of its own: the heads of the smaller size are there when the larger one's ends.
    ahead = (quick[0], quick[each], *quick[1:each])
    return SolvedFirst(ahead, (*quick[each + 1 :], *others, *slow))


def _strategy(size: Size, head: tuple[float, str]) -> Mapping[str, Any]:
    keep, kind = head
    return {**size.fields, **({} if keep == 1 else {"structure": {"keep": keep}}), "freeze": 1.0, "head": kind}


def _can_wait(sizes: Sequence[Size], scale: Scale) -> bool:
    """Whether a training loses next to nothing if it begins behind the passes of some sizes."""
    seconds = (scale.training + scale.validation) * sum(size.seconds for size in sizes)
    return scale.minutes is None or seconds <= scale.minutes * 60 * AHEAD


def _affordable(sizes: Sequence[Size], scale: Scale) -> Iterator[Size]:
    """The cheapest first, as many as there is time for; one pass gives the features of all shares."""
    rows = scale.training + scale.validation
    left = None if scale.minutes is None else scale.minutes * 60 * SHARE
    for size in sorted(sizes, key=lambda one: one.seconds):
        if left is not None:
            left -= rows * size.seconds
            if left < 0:
                return
        yield size


def _fits(kind: str, link: str, scale: Scale) -> bool:
    head = members("head")[kind]
    if not issubclass(head, HeadSpec) or link not in head.links:
        return False
    is_large = scale.outputs > _MOST_OUTPUTS or scale.outputs * scale.training > _MOST_PRODUCTS
    return kind != "logistic" or not is_large
