"""Whether the next labels are for training or for the audit; and which models are judged."""

import math

NEAR = 0.05
FAR_RATE, NEAR_RATE, ABOVE_RATE = 1 / 8, 1 / 3, 1.0
"""Audit labels for each that is trained on: while the model is far below the requirement, near it, and above it."""

FIRST_LABELS, CURVE_RATIO, CANDIDATE_RATIO = 10, 1.25, 1.5


def audit_rate(estimate: float | None, required: float, expected: int | None, left: int) -> float:
    """Audit labels for each that is trained on; infinite if only the audit is worth its labels.

    Args:
        estimate: accuracy of the newest model; None as long as nothing is known.
        required: the requirement.
        expected: audit labels until it is shown.
        left: labels of the budget.
    """
    if estimate is None or estimate < required - NEAR:
        return FAR_RATE
    if estimate < required:
        return NEAR_RATE
    return math.inf if expected is not None and expected <= left else ABOVE_RATE


def is_judged(size: int, last: int | None, ratio: float) -> bool:
    """Whether a model of `size` labels is to be judged after one of `last`.

    The sizes follow from the labels that are trained on alone. Were models chosen by their audit, they would be chosen
    for their luck in it.
    """
    return size >= FIRST_LABELS and (last is None or size >= math.ceil(ratio * last))


def candidates(first: int, budget: int) -> int:
    """How many models may be certified in a budget, from one of `first` labels on; they share α."""
    count, size = 1, math.ceil(CANDIDATE_RATIO * first)
    while size <= budget:
        count, size = count + 1, math.ceil(CANDIDATE_RATIO * size)
    return count
