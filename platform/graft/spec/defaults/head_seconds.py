"""How long a head takes that is solved, as far as it is known before anything has run."""

from collections.abc import Sequence

from graft.spec.defaults.closed_form import SLOW, Size
from graft.spec.strategy import Strategy

# Seconds that a core takes for each row that a head is fitted to (Fashion-MNIST, EfficientNet-Lite0).
_SOLVING = {"ridge": 1e-4, "logistic": 4e-4}
_SOLVING_SLOWLY = 1.5e-3


def seconds_of(strategy: Strategy, sizes: Sequence[Size], training: int, validation: int) -> tuple[float, float] | None:
    """What a core takes for the pass that gives the features of a head, and for the head; None for another size.

    Args:
        strategy: its head is solved.
        sizes: that the modality would look at.
        training: rows that the head is fitted to.
        validation: rows that it is scored on.
    """
    found = [size for size in sizes if all(getattr(strategy, name) == value for name, value in size.fields.items())]
    if not found:
        return None
    kind = strategy.head.kind
    is_slow = kind == SLOW[1] and strategy.structure.keep == SLOW[0]
    solving = _SOLVING_SLOWLY if is_slow else _SOLVING.get(kind, _SOLVING_SLOWLY)
    return (training + validation) * found[0].seconds, training * solving
