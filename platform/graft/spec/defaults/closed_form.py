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
features of both; logistic regression on those of all blocks takes longer than the others together, so it comes last."""
SHARE = 0.25
"""Of the time of a job, and of its trials, that goes to heads that are solved."""

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


def solved_first(link: str, sizes: Sequence[Size], scale: Scale) -> tuple[Mapping[str, Any], ...]:
    """Strategies whose heads are solved, the quickest first; none where the task or the data leaves no room for them.

    Args:
        link: how the outputs of the task are read (`TaskSpec.link`).
        sizes: that the modality would look at.
        scale: how many samples there are, and how much time.
    """
    in_turn = [(keep, kind) for keep, kind in IN_TURN if _fits(kind, link, scale)]
    if not in_turn or scale.training > _MOST_ROWS:
        return ()
    found = [
        {**size.fields, **({} if keep == 1 else {"structure": {"keep": keep}}), "freeze": 1.0, "head": kind}
        for size in _affordable(sizes, scale)
        for keep, kind in in_turn
    ]
    most = None if scale.trials is None else int(scale.trials * SHARE)
    return tuple(found[:most])


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
