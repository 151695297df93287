"""Whether it is worth scoring the backbones of a search in closed form, and on how many rows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from graft.search.screening.report import Candidate
from graft.spec.messages.counting import counted

FEWEST_ROWS, MOST_ROWS = 100, 500
"""With fewer rows the scores say little; with more they say hardly more."""


@dataclass(frozen=True)
class Allowance:
    """What scoring may cost.

    Attributes:
        rows: of the sample; 0 scores nothing.
        seconds: it may take at most; None is no limit.
        reason: in a line, why so many rows, or why none.
    """

    rows: int
    seconds: float | None
    reason: str


@dataclass(frozen=True)
class Effort:
    """How large a search is.

    Attributes:
        rows: that trials are trained on.
        passes: of all of them through a backbone, over all trials; a backward pass counts as two.
        seconds: that it has; None is no limit.
    """

    rows: int
    passes: float
    seconds: float | None = None


def allowance(candidates: Sequence[Candidate], effort: Effort, share: float) -> Allowance:
    """What may be spent on scores: a share of the search, in samples that pass a backbone, and in seconds.

    What scores gain is a share of the search too, while their cost does not grow with the data: on small data they are
    not worth it (docs/benchmarks.md).

    Args:
        candidates: backbones and depths.
        effort: of the search.
        share: of it that may be spent.
    """
    if not share:
        return Allowance(0, None, "search.searcher.screening is 0")
    if len(candidates) < 2:
        return Allowance(0, None, "there is no choice of backbones or depths")
    each = sum(one.depth for one in candidates)
    affordable = int(share * effort.passes * effort.rows / each)
    rows = min(MOST_ROWS, effort.rows, affordable)
    count = f"{len(candidates)} backbones" if all(one.depth == 1 for one in candidates) else _with_depths(candidates)
    if rows < FEWEST_ROWS:
        told = f"{share:.2g} of the search is enough for {rows} rows of {count}, but scores need {FEWEST_ROWS}"
        return Allowance(0, None, told)
    seconds = None if effort.seconds is None else share * effort.seconds
    limit = "" if seconds is None else f", in {seconds:.0f} s at most"
    return Allowance(rows, seconds, f"{count} on {rows} rows{limit}")


def _with_depths(candidates: Sequence[Candidate]) -> str:
    backbones = len({one.backbone for one in candidates})
    return f"{counted(backbones, 'backbone')} at {len(candidates)} depths"
