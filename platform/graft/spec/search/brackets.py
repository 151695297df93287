"""The brackets of HyperBand: successive halving from several starting points. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bracket:
    """Successive halving of some trials.

    Attributes:
        size: how many trials (n in the paper).
        milestones: epochs at which all but the best 1/η stop (r_0, r_1, … in the paper; R itself is left out).
    """

    size: int
    milestones: tuple[int, ...]


def brackets(epochs: int, eta: int, trials: int | None = None, least: int = 1) -> list[Bracket]:
    """One round of brackets, the one with most trials first.

    With fewer trials than a round has, every bracket shrinks in proportion, rounded up, until the trials are used up:
    the brackets still share the epochs about evenly, and the few trials are compared instead of each beginning a
    bracket of its own.

    Args:
        epochs: the most a trial trains (R).
        eta: one in so many goes on (η).
        trials: how many are left to place; None, or less than one, is no limit.
        least: epochs before the first comparison; 1 in the paper.
    """
    s_max = 0
    while least * eta ** (s_max + 1) <= epochs:
        s_max += 1
    sizes = {s: _ceil_div((s_max + 1) * eta**s, s + 1) for s in range(s_max, -1, -1)}
    whole = sum(sizes.values())
    left = whole if trials is None or trials < 1 else min(trials, whole)
    share, found = left, []
    for s, size in sizes.items():
        size = min(_ceil_div(size * share, whole), left)
        left -= size
        if size:
            found.append(Bracket(size, tuple(epochs // eta ** (s - i) for i in range(s))))
    return found


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
