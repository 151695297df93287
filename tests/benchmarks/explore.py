"""How many labels an exploration takes, and how often its certificate is wrong.

    python tests/benchmarks/explore.py certificate [--runs 1000]
    python tests/benchmarks/explore.py features FOLDER|JOB SET.npz [--set KEY=VALUE]
    python tests/benchmarks/explore.py real SET.npz [SET.npz …] [--runs 50] [--first 0]
    python tests/benchmarks/explore.py labels SET.npz [SET.npz …] [--seeds 10] [--proposers random,margin]

The first simulates whole explorations whose models are just below the requirement, or come up to it from below: a
certificate is wrong in each of them. `features` makes a set of class folders, or of a job. `real` runs whole
explorations of sets, whose requirement is about what their models can do, and holds each certificate against samples
that were never in the pool. `labels` counts labels until a model has 90 % of the accuracy that all labels give, on its
own features, or on those of `--goal`, a set of the same samples. `--set 'strategy.init={kind: meta, source: NAME}'`
makes features of a meta-model of the home that GRAFT_HOME names, to be held against plain ones. Of `--proposers`,
`knowing` is none that can be had: it knows every label of the pool, and bounds what others might bring. A set
holds `features` [N, F] (or `f96`, …) and `y` [N]; five sevenths are the pool, the rest is the test.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta

from graft.exploration.explorer import Ask, Explorer, Terms
from graft.exploration.head import HeadFit, SolvedHead
from graft.exploration.proposers.protocol import View
from graft.exploration.requirement import Requirement
from graft.exploration.vectors import unit_vectors
from graft.pipeline.exploration.pool import FOLDERS, OF_JOB, Wish, find_pool, read_pool
from graft.spec.load import JOB_SUFFIXES
from graft.spec.meta.proposers import HerdingProposer, RandomProposer
from graft.spec.registry import build, members

BATCH, MOST = 10, 800
KNOWING, COMPARED = "knowing", 1000
SHARES = (0.85, 0.95, 1.0)
"""Of the accuracy of all labels: what is required in runs on real sets."""


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


class Remembering:
    """Models with the accuracy of each on samples that are in no pool, by how many labels it was trained on."""

    def __init__(self, features: np.ndarray, codes: np.ndarray, pool: np.ndarray, test: np.ndarray) -> None:
        self.fit, self.codes, self.pool, self.test = HeadFit.of(features), codes, pool, test
        self.truths: dict[int, float] = {}

    def __call__(self, rows: np.ndarray, codes: np.ndarray, classes: int) -> "OfPool":
        model = self.fit(self.pool[rows], codes, classes)
        # The names of codes, in the order in which the explorer met them.
        names = np.array([self.codes[self.pool[rows[codes == code][0]]] for code in range(classes)])
        self.truths[len(rows)] = _accuracy(model, self.test, self.codes[self.test], names)
        return OfPool(model, self.pool)


class OfPool:
    """A model that answers for rows of a pool."""

    def __init__(self, model: SolvedHead, pool: np.ndarray) -> None:
        self.model, self.pool = model, pool

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        return self.model.probabilities(self.pool[rows])


def explored(features: np.ndarray, codes: np.ndarray, seed: int, share: float, budget: int) -> tuple[str, float, float]:
    """A whole exploration of a real set: why it stopped, what was required, and the accuracy of the model that the
    audit judged last, on the samples that are in no pool.

    Args:
        features: float32 [N, F].
        codes: int64 [N], classes.
        seed: of the pool and the exploration.
        share: of the accuracy of all labels of the pool that is required.
        budget: labels.
    """
    order = np.random.default_rng([seed, 11]).permutation(len(codes))
    pool, test = np.split(order, [len(order) * 5 // 7])
    total = int(codes.max()) + 1
    required = share * _accuracy(HeadFit.of(features)(pool, codes[pool], total), test, codes[test], np.arange(total))
    fit = Remembering(features, codes, pool, test)
    chooser = build(HerdingProposer())
    terms = Terms(Requirement(required), budget, seed, repeats=False)
    explorer = Explorer(unit_vectors(features[pool]), terms, chooser, fit)
    while isinstance(found := explorer.next(), Ask):
        explorer.proposed(found)
        for row in found.rows:
            explorer.record(row, str(codes[pool[row]]), found.role)
    judged = [one.size for one in explorer.models if one.test]
    return found.by, required, fit.truths[judged[-1]] if judged else 0.0


class Knowing:
    """A proposer that knows all labels: next is who lowers the squared error of ridge regression over the pool most.

    Args:
        vectors: float32 [N, D], of length 1.
        codes: int64 [N], classes.
    """

    def __init__(self, vectors: np.ndarray, codes: np.ndarray) -> None:
        self.vectors = vectors.astype(np.float64)
        self.wanted = np.eye(int(codes.max()) + 1)[codes] - 1 / (codes.max() + 1)

    def propose(self, view: View, count: int, rng: np.random.Generator) -> np.ndarray:
        """The most useful of some that are drawn, one after another; each is as if learned from at once."""
        some = np.sort(rng.permutation(len(self.vectors))[:COMPARED])
        own, wanted, is_free = self.vectors[some], self.wanted[some], np.isin(some, view.free)
        known = self.vectors[view.labelled]
        inverse = np.linalg.inv(np.eye(known.shape[1]) + known.T @ known)
        weights, chosen = inverse @ known.T @ self.wanted[view.labelled], list[int]()
        for _ in range(min(count, int(is_free.sum()))):
            alike, errors = own @ inverse @ own.T, wanted - own @ weights
            scale = 1 + np.diag(alike)
            less = 2 * (alike @ errors * errors).sum(axis=1) / scale
            less -= (alike**2).sum(axis=1) * (errors**2).sum(axis=1) / scale**2
            best = int(np.where(is_free, less, -np.inf).argmax())
            chosen.append(best)
            is_free[best] = False
            step = inverse @ own[best]
            weights += np.outer(step, errors[best]) / scale[best]
            inverse -= np.outer(step, step) / scale[best]
        found: np.ndarray = some[chosen]
        return found


@dataclass(frozen=True)
class Question:
    """How many labels of a pool a model needs.

    Attributes:
        features: float32 [N, F].
        codes: int64 [N], classes.
        pool: rows that may be labelled.
        test: rows that accuracies are of.
        vectors: of the pool, as proposers see it.
        goal: the accuracy that is enough: 90 % of what all labels of the pool give.
        seed: of all that is random.
    """

    features: np.ndarray
    codes: np.ndarray
    pool: np.ndarray
    test: np.ndarray
    vectors: np.ndarray
    goal: float
    seed: int

    @classmethod
    def of(cls, features: np.ndarray, codes: np.ndarray, seed: int, whole: np.ndarray | None = None) -> "Question":
        """That of a seed; the goal is that of the features `whole`, if there are some."""
        order = np.random.default_rng([seed, 7]).permutation(len(codes))
        pool, test = np.split(order, [len(order) * 5 // 7])
        total, best = int(codes.max()) + 1, HeadFit.of(features if whole is None else whole)
        goal = 0.9 * _accuracy(best(pool, codes[pool], total), test, codes[test], np.arange(total))
        return cls(features, codes, pool, test, unit_vectors(features[pool]), goal, seed)

    def labels_needed(self, kind: str) -> int:
        """With a proposer; `MOST` + 1 if they do not suffice."""
        pool, codes, fit = self.pool, self.codes[self.pool], HeadFit.of(self.features)
        is_told = kind == KNOWING
        proposer = Knowing(self.vectors, codes) if is_told else build(members("proposer")[kind].model_validate({}))
        known, model = np.array([], np.int64), None
        while len(known) < min(MOST, len(pool)):
            free = np.setdiff1d(np.arange(len(pool)), known)
            chances = model.probabilities(pool[free]) if model else None
            seen = View(self.vectors, known, free, chances, len(np.unique(codes[known])))
            rng = np.random.default_rng([self.seed, len(known)])
            known = np.concatenate([known, proposer.propose(seen, BATCH, rng)])
            names, own = np.unique(codes[known], return_inverse=True)
            if len(names) > 1:
                model = fit(pool[known], own, len(names))
                if _accuracy(model, self.test, self.codes[self.test], names) >= self.goal:
                    return len(known)
        return MOST + 1


def _accuracy(model: object, rows: np.ndarray, codes: np.ndarray, names: np.ndarray) -> float:
    best = model.probabilities(rows).argmax(axis=1)  # type: ignore[attr-defined]
    return float(np.mean(names[best] == codes))


def read_set(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features [N, F] and classes int64 [N]."""
    data = np.load(path)
    # `f96`, `f128`: features at several sizes.
    sized = sorted((one for one in data if one[1:].isdigit()), key=lambda one: int(one[1:]))
    return data["features" if "features" in data else sized[-1]], data["y"].astype(np.int64)


def write_features(source: Path, target: Path, overrides: tuple[str, ...] = ()) -> None:
    """Make a set of what an exploration would see of class folders, or of a job."""
    oracle = OF_JOB if source.suffix in JOB_SUFFIXES else FOLDERS
    pool = find_pool(source, Wish(oracle=oracle, overrides=overrides))
    with tempfile.TemporaryDirectory() as scratch:
        found = read_pool(pool, Path(scratch), lambda done, of: print(f"{done:,} of {of:,}", flush=True))
    truth = dict(zip(pool.ids, pool.truth or (), strict=True))
    _, codes = np.unique([str(truth[one]) for one in found.ids], return_inverse=True)
    np.savez(target, features=found.features, y=codes)


def tell_real(sets: list[Path], runs: range, budget: int) -> None:
    """Run explorations of all sets by turns, at three requirements by turns: below, at, and above what can be."""
    loaded = [(path.stem, *read_set(path)) for path in sets]
    certified = wrong = 0
    for run in runs:
        name, features, codes = loaded[run % len(loaded)]
        share = SHARES[run // len(loaded) % len(SHARES)]
        by, required, truth = explored(features, codes, run, share, budget)
        certified += by == "reached"
        wrong += by == "reached" and truth < required
        print(f"{run} {name:12} required {required:.3f}, true {truth:.3f}: {by}", flush=True)
    low, high = clopper_pearson(wrong, len(runs))
    share = f"{100 * low:.1f} to {100 * high:.1f} %, target 5 % at most"
    told = f"certified wrongly in {wrong} of {len(runs)} runs ({share})"
    print(f"{told}, rightly in {certified - wrong}", flush=True)


def tell_needed(path: Path, kinds: Sequence[str], seeds: range, goal: Path | None) -> None:
    """Count labels until 90 % with each proposer, seed after seed."""
    features, codes = read_set(path)
    whole, needed, cost = read_set(goal)[0] if goal else None, dict[str, list[int]](), dict.fromkeys(kinds, 0.0)
    for seed in seeds:
        question = Question.of(features, codes, seed, whole)
        for kind in kinds:
            began = time.process_time()
            needed.setdefault(kind, []).append(question.labels_needed(kind))
            cost[kind] += (time.process_time() - began) / len(seeds)
        print(f"{path.stem:12} seed {seed}: { ({kind: found[-1] for kind, found in needed.items()}) }", flush=True)
    yardstick = float(np.median(needed[kinds[0]]))
    for kind, found in needed.items():
        median = float(np.median(found))
        told = f"{median:.0f} labels to 90 %, {median / yardstick:.2f} of {kinds[0]}"
        print(f"{path.stem:12} {kind:22} {told} {sorted(found)}, {cost[kind]:.1f} CPU-s a run", flush=True)


def clopper_pearson(count: int, total: int) -> tuple[float, float]:
    """95 % interval of a share."""
    low = float(beta.ppf(0.025, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, total - count)) if count < total else 1.0
    return low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["certificate", "features", "real", "labels"])
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="Seed of the first run on sets.")
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=10)
    every = "random,herding,typiclust_then_margin,typiclust,margin,badge,entropy,core_set"
    parser.add_argument("--proposers", default=every)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="As `graft explore` takes it.")
    parser.add_argument("--goal", type=Path, help="Set whose features say what 90 % is; else each its own.")
    given = parser.parse_args()
    if given.what == "certificate":
        for name, share in wrongly_certified(given.runs).items():
            print(
                f"{name}: certified wrongly in {100 * share:.1f} % of {given.runs} runs (target 5 % at most)",
                flush=True,
            )
        return
    if given.what == "features":
        source, target = given.sets
        write_features(source, target, tuple(given.set))
        return
    if given.what == "real":
        tell_real(given.sets, range(given.first, given.first + given.runs), given.budget)
        return
    for path in given.sets:
        tell_needed(path, given.proposers.split(","), range(given.first, given.first + given.seeds), given.goal)


if __name__ == "__main__":
    main()
