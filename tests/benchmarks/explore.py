"""How many labels an exploration takes, and how often its certificate is wrong.

    python tests/benchmarks/explore.py certificate [--runs 1000]
    python tests/benchmarks/explore.py labels SET.npz [SET.npz …] [--seeds 10] [--proposers random,margin]

The first simulates whole explorations whose models are just below the requirement, or come up to it from below: a
certificate is wrong in each of them. The second counts labels until a model has 90 % of the accuracy that all labels
give. A set holds `features` [N, F] (or `f96`, …) and `y` [N]; five sevenths are the pool, the rest is the test.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from graft.exploration.explorer import Ask, Explorer, Terms
from graft.exploration.head import HeadFit
from graft.exploration.proposers.protocol import View
from graft.exploration.requirement import Requirement
from graft.exploration.vectors import unit_vectors
from graft.spec.meta.proposers import RandomProposer
from graft.spec.registry import build, members

BATCH, MOST = 10, 800


class AtTheRequirement:
    """Models of two classes whose accuracy rises to a limit just below what is required, whatever they are taught."""

    def __init__(self, codes: np.ndarray, limit: float, is_rising: bool, rng: np.random.Generator) -> None:
        self.codes, self.limit, self.is_rising = codes, limit, is_rising
        # The same samples are hard for all models, as they are for real ones.
        self.hardness = rng.random(len(codes))

    def __call__(self, rows: np.ndarray, codes: np.ndarray, classes: int) -> "Answers":
        accuracy = self.limit - (0.6 / np.sqrt(len(rows)) if self.is_rising else 0.0)
        flipped = self.hardness >= accuracy
        # Codes are in the order in which names came up.
        is_swapped = bool(len(rows)) and codes[0] != self.codes[rows[0]]
        return Answers((self.codes ^ flipped ^ is_swapped).astype(np.int64))


class Answers:
    """A model that is sure."""

    def __init__(self, codes: np.ndarray) -> None:
        self.codes = codes

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        return np.eye(2)[self.codes[rows]]


def is_certified(required: float, is_rising: bool, seed: int, budget: int = 300) -> bool:
    """Whether a whole exploration of such models ends in a certificate, which is wrong."""
    rng = np.random.default_rng([seed, is_rising])
    codes = rng.integers(2, size=2000)
    fit = AtTheRequirement(codes, required - 1e-9, is_rising, rng)
    terms = Terms(Requirement(required), budget, seed, repeats=False)
    explorer = Explorer(np.ones((len(codes), 1), np.float32), terms, build(RandomProposer()), fit)
    while isinstance(found := explorer.next(), Ask):
        explorer.proposed(found)
        for row in found.rows:
            explorer.record(row, str(codes[row]), found.role)
    return found.by == "reached"


def wrongly_certified(runs: int) -> dict[str, float]:
    """Share of wrong certificates, by what was simulated."""
    found = {}
    for required in (0.7, 0.8, 0.9):
        for is_rising in (False, True):
            name = f"{'rising to' if is_rising else 'at'} {required}"
            found[name] = float(np.mean([is_certified(required, is_rising, seed) for seed in range(runs)]))
    return found


def labels_needed(features: np.ndarray, codes: np.ndarray, kind: str, seed: int, share: float = 0.9) -> int:
    """Training labels until the model has a share of the accuracy of all labels; `MOST` + 1 if they do not suffice."""
    order = np.random.default_rng([seed, 7]).permutation(len(codes))
    pool, test = np.split(order, [len(order) * 5 // 7])
    vectors, fit = unit_vectors(features[pool]), HeadFit.of(features)
    total = int(codes.max()) + 1
    goal = share * _accuracy(fit(pool, codes[pool], total), test, codes[test], np.arange(total))
    proposer, known, model = build(members("proposer")[kind].model_validate({})), np.array([], np.int64), None
    while len(known) < min(MOST, len(pool)):
        free = np.setdiff1d(np.arange(len(pool)), known)
        chances = model.probabilities(pool[free]) if model else None
        seen = View(vectors, known, free, chances, len(np.unique(codes[pool[known]])))
        known = np.concatenate([known, proposer.propose(seen, BATCH, np.random.default_rng([seed, len(known)]))])
        names, own = np.unique(codes[pool[known]], return_inverse=True)
        if len(names) > 1:
            model = fit(pool[known], own, len(names))
            if _accuracy(model, test, codes[test], names) >= goal:
                return len(known)
    return MOST + 1


def _accuracy(model: object, rows: np.ndarray, codes: np.ndarray, names: np.ndarray) -> float:
    best = model.probabilities(rows).argmax(axis=1)  # type: ignore[attr-defined]
    return float(np.mean(names[best] == codes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["certificate", "labels"])
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--proposers", default="random,typiclust_then_margin,typiclust,margin,badge,entropy,core_set")
    given = parser.parse_args()
    if given.what == "certificate":
        for name, share in wrongly_certified(given.runs).items():
            print(
                f"{name}: certified wrongly in {100 * share:.1f} % of {given.runs} runs (target 5 % at most)",
                flush=True,
            )
        return
    for path in given.sets:
        data = np.load(path)
        # `f96`, `f128`: features at several sizes.
        sized = sorted((one for one in data if one[1:].isdigit()), key=lambda one: int(one[1:]))
        features = data["features" if "features" in data else sized[-1]]
        yardstick = 0.0
        for kind in given.proposers.split(","):
            began = time.process_time()
            needed = [labels_needed(features, data["y"].astype(np.int64), kind, seed) for seed in range(given.seeds)]
            median, cost = float(np.median(needed)), (time.process_time() - began) / given.seeds
            yardstick = yardstick or median
            told = f"{median:.0f} labels to 90 %, {median / yardstick:.2f} of {given.proposers.split(',')[0]}"
            print(f"{path.stem:12} {kind:22} {told} {sorted(needed)}, {cost:.1f} CPU-s a run", flush=True)


if __name__ == "__main__":
    main()
