"""Which models make up an ensemble, and how much each counts: greedy selection on held-out rows. Pure.

Caruana, Niculescu-Mizil, Crew & Ksikes (Ensemble Selection from Libraries of Models, ICML 2004): begin with the best
model, add with replacement whichever makes the average best, take the best of all steps; do so for several random bags
of the library, and average (their sections 2.1 to 2.3). How often a model was added is its weight.

Of few rows such weights are mostly noise, so they are drawn towards what is good on many tasks: an equal vote of the
first and of the best of each other kind, such as a head on frozen features beside a network that was trained.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.core.seeds import derive_seed
from graft.learner.ensemble.parts import parts_of

Floats = NDArray[np.float64]
Losses = Callable[[NDArray[Any]], Floats]
"""``losses(evidence)``: of each row [N], from what an average has for its truth [N, J] (`tasks.averaging`)."""

ROUNDS, BAGS, PARTS = 20, 12, 5
"""Models that are added to a bag; bags; parts of the rows that an ensemble is judged on without having seen them."""
KEPT_OF_LIBRARY = 0.5
"""The share of the models that a bag may choose from, beside the first."""
LEAST_SHARE = 0.04
"""A model that counts less is not worth the time it takes to ask it."""
EQUAL_ROWS = 300
"""Rows that the equal vote of unlike models counts as much as: docs/ensembles.md."""
MOST_LOSS = 1.3
"""Times the loss of the first: a model that is worse has no vote of its own."""


@dataclass(frozen=True)
class Library:
    """The models that there are, the one that has won first.

    Attributes:
        evidence: what each has for the truth of each row, float32 [M, N, J].
        losses: of an average.
        seed: draws bags and parts.
        kinds: of each; models of different kinds err apart. All are of one if left out.
        kin: int64 [N], one number for rows that belong together; None where none do.
    """

    evidence: NDArray[np.float32]
    losses: Losses
    seed: int
    kinds: tuple[str, ...] = ()
    kin: NDArray[np.int64] | None = None


def select(library: Library, most: int, rows: NDArray[np.int64] | None = None) -> Floats:
    """How much each model counts, float64 [M]: at least the first, at most so many, together 1.

    Args:
        library: the models.
        most: members that there may be.
        rows: that are looked at; all if left out.
    """
    evidence = library.evidence if rows is None else library.evidence[:, rows]
    rng = np.random.default_rng(derive_seed(library.seed, "ensemble"))
    counts = np.zeros(len(evidence))
    for _ in range(BAGS):
        bag = np.flatnonzero(rng.random(len(evidence)) < KEPT_OF_LIBRARY)
        chosen = _greedy(evidence, np.union1d([0], bag), library.losses)
        counts += chosen / chosen.sum()
    measured = evidence.shape[1] / (evidence.shape[1] + EQUAL_ROWS)
    return _pruned(measured * counts / BAGS + (1 - measured) * _equal(library, evidence, most), most)


def held_out_shares(library: Library, most: int) -> list[tuple[NDArray[np.int64], Floats]]:
    """For each part of the rows (`parts.parts_of`): these, and the shares that are selected on all others."""
    rows = np.arange(library.evidence.shape[1])
    parts = parts_of(len(rows), library.kin, PARTS, derive_seed(library.seed, "parts"))
    return [(part, select(library, most, np.setdiff1d(rows, part))) for part in parts]


def _equal(library: Library, evidence: NDArray[np.float32], most: int) -> Floats:
    """One vote each for the first, the best of each other kind, and the next best of each in turn."""
    losses = [float(library.losses(one).mean()) for one in evidence]
    kinds = library.kinds or ("",) * len(evidence)
    able = [one for one, loss in enumerate(losses) if one == 0 or loss <= MOST_LOSS * losses[0]]
    turns = {one: sum(kinds[other] == kinds[one] for other in able if other < one) for one in able}
    chosen = sorted(able, key=lambda one: (turns[one], one))[:most]
    found = np.zeros(len(evidence))
    found[chosen] = 1 / len(chosen)
    return found


def _greedy(evidence: NDArray[np.float32], bag: NDArray[np.int64], losses: Losses) -> Floats:
    """How often each model is in the best of all averages on the way."""
    counts, total = np.zeros(len(evidence)), evidence[0].astype(np.float32)
    counts[0] = 1
    best, best_loss = counts.copy(), float(losses(total).mean())
    for size in range(2, ROUNDS + 2):
        found = [float(losses((total + evidence[one]) / size).mean()) for one in bag]
        chosen = int(bag[int(np.argmin(found))])
        counts[chosen], total = counts[chosen] + 1, total + evidence[chosen]
        if min(found) < best_loss:
            best, best_loss = counts.copy(), min(found)
    return best


def _pruned(shares: Floats, most: int) -> Floats:
    """Without those that hardly count; the first stays."""
    ranked: Sequence[int] = sorted(range(len(shares)), key=lambda one: (one != 0, -shares[one], one))
    kept = [one for one in ranked[:most] if one == 0 or shares[one] >= LEAST_SHARE]
    found = np.zeros(len(shares))
    found[kept] = shares[kept]
    total: Floats = found / found.sum()
    return total
