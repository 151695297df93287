"""What a few-shot job can answer with, and how good each is on samples that it has not seen.

Candidates are heads in closed form on the features of frozen backbones: they cost milliseconds, so all of them are
tried; and adapters by gradient of a meta-learned map, whose steps cost little more. Measured over 15 draws on two sets
(1 to 20 samples a class): up to five samples the heads differ by less than their noise, ridge being the best of one
sample and the cheapest; from ten on logistic regression leads by 2 to 4 points over class means, and ridge is within
one of it. That order is the prior, gradients come last; held-out samples decide against it only where they say so by
more than a standard error.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from graft.core.errors import SpecError
from graft.core.seeds import derive_seed
from graft.data.splits.folds import fold_codes
from graft.data.targets import Targets
from graft.learner.final_model import outputs_on
from graft.learner.pretrained import build_network
from graft.learner.training_data import TrainingData
from graft.models.network import Network
from graft.pipeline.fewshot.heads import Method, adapted_methods, head_for
from graft.pipeline.fewshot.shots import Shots
from graft.spec.components.head import HeadSpec, LogisticHead, PrototypeHead, RidgeHead
from graft.spec.components.initialisation import Pretrained
from graft.spec.meta.adapters import AdapterSpec
from graft.spec.modalities.base import Preprocessing
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import all_metrics
from graft.tasks.intervals import Interval, resampled

REPEATS = 4
MOST_FOLDS = 5
# Of a space: what is not drawn so often is rare.
_DRAWS = 40
# A strength cannot be chosen by folds of so few; this one was the best of 1 and 10 up to five samples a class.
_FEW, _STRENGTH = 3, 10.0
_PRIOR_OF_ONE = ("ridge", "prototype", "logistic")
_PRIOR = ("logistic", "ridge", "prototype")


@dataclass(frozen=True)
class Embedded:
    """The samples as a backbone sees them.

    Attributes:
        strategy: names backbone and size; its head is not looked at.
        network: the backbone; its head is not looked at, but for the map of a meta-model in front of it.
        preprocessing: from a sample to its input.
        features: float32 [N, F], below such a map; NaN for samples that have not been embedded yet.
        seconds: that it took.
    """

    strategy: Strategy
    network: Network
    preprocessing: Preprocessing
    features: Tensor
    seconds: float


@dataclass(frozen=True)
class Candidate:
    """A head on the features of a backbone.

    Attributes:
        how: it comes about, and its strategy.
        embedded: the features.
        right: float64 [R], how often each labelled sample that was held out was answered rightly; None where no
            class has two samples, so that none can be.
        interval: of their mean, 95 %.
        seconds: of all folds.
        size: of the inputs.
    """

    how: Method
    embedded: Embedded
    right: np.ndarray | None
    interval: Interval | None
    seconds: float
    size: int = 0

    @property
    def method(self) -> str:
        """Head or adapter, backbone, its start where it is not its own weights, and size."""
        init = self.strategy.init
        start = "" if isinstance(init, Pretrained) else f" ({init.kind})"
        return f"{self.how.kind} on {self.strategy.backbone}{start} at {self.size}"

    @property
    def strategy(self) -> Strategy:
        """As the bundle of it has it."""
        return self.how.strategy

    @property
    def estimate(self) -> float | None:
        """Accuracy on held-out samples."""
        return None if self.right is None else float(self.right.mean())


def embedded_in(shots: Shots) -> Iterator[Embedded]:
    """The samples that are learned from, in every backbone, from every start and at every size that the job names."""
    rng = random.Random(shots.job.search.seed)
    told = set()
    for drawn in (shots.job.strategy.sample(rng) for _ in range(_DRAWS)):
        size = shots.data.modality.sized(shots.data.modality.size(drawn))
        seen = Strategy.model_validate({"backbone": drawn.backbone, "init": drawn.init, "freeze": 1.0, **size})
        if seen.key() not in told:
            told.add(seen.key())
            yield _embedded(shots.data, seen, shots.rows)


def with_rows(data: TrainingData, embedded: Embedded, rows: np.ndarray) -> Embedded:
    """The same with the features of further samples."""
    features = embedded.features.clone()
    features[torch.from_numpy(rows)] = _features(data, embedded.network, embedded.preprocessing, rows)
    return replace(embedded, features=features)


def candidates_of(shots: Shots, embedded: Sequence[Embedded], adapters: Sequence[AdapterSpec] = ()) -> list[Candidate]:
    """Every head on every backbone, each with its score on held-out samples.

    Args:
        shots: the samples.
        embedded: they in every backbone.
        adapters: that are tried beside the meta-model's own on each of its maps.

    Raises:
        SpecError: there are adapters, but no map.
    """
    folds = list(_folds(shots))
    heads = [_head(kind, shots.k) for kind in _prior(shots.k)]
    if adapters and not any(one.strategy.init.map_shape for one in embedded):
        told = f"--adapter is {adapters[0].kind}, which adapts a meta-learned map, but strategy.init names none"
        raise SpecError(f"{told}; give --set 'strategy.init={{kind: meta, source: NAME}}' as well")
    found = []
    for one in embedded:
        methods = [Method(one.strategy.model_copy(update={"head": head})) for head in heads]
        methods += adapted_methods(one.strategy, adapters)
        found += [_judged(shots, one, method, folds) for method in methods]
    return found


def chosen(candidates: Sequence[Candidate], k: int) -> Candidate:
    """The first by the prior that is not worse than the best by more than a standard error of the difference."""
    order = {kind: place for place, kind in enumerate(_prior(k))}
    ranked = sorted(candidates, key=lambda one: order.get(one.how.kind, len(order)))
    best = max(ranked, key=lambda one: -1.0 if one.estimate is None else one.estimate)
    return next((one for one in ranked if _is_as_good(one, best)), best)


def held_out_logits(shots: Shots, candidate: Candidate) -> tuple[Tensor, np.ndarray]:
    """Logits [M, K] of samples by heads that have not seen them, over all repeats, and which rows they are of."""
    found = [
        (_logits(shots.data, candidate.embedded, candidate.how, train, held), held) for train, held in _folds(shots)
    ]
    return torch.cat([one for one, _ in found]), np.concatenate([held for _, held in found])


def _embedded(data: TrainingData, strategy: Strategy, rows: np.ndarray) -> Embedded:
    began = time.perf_counter()
    network, preprocessing = build_network(data, strategy)
    features = torch.full((len(data.arrays.targets), network.backbone.num_features), float("nan"))
    features[torch.from_numpy(rows)] = _features(data, network, preprocessing, rows)
    return Embedded(strategy, network, preprocessing, features, time.perf_counter() - began)


def _features(data: TrainingData, network: Network, preprocessing: Preprocessing, rows: np.ndarray) -> Tensor:
    headless = Network(network.backbone, nn.Identity()).eval()
    return outputs_on(data, headless, preprocessing, rows).float().cpu()


def _judged(
    shots: Shots, embedded: Embedded, method: Method, folds: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Candidate:
    began = time.perf_counter()
    targets = shots.data.arrays.targets
    right, asked, scores = np.zeros(len(targets)), np.zeros(len(targets), dtype=bool), []
    for train, held in folds:
        hits = (_logits(shots.data, embedded, method, train, held).argmax(dim=1).numpy() == targets[held]).astype(float)
        right[held] += hits / REPEATS
        asked[held] = True
        scores.append(float(hits.mean()))
    seconds, size = time.perf_counter() - began, shots.data.modality.size(method.strategy)
    if not folds:
        return Candidate(method, embedded, None, None, seconds, size)
    share = float(np.mean([len(held) / len(train) for train, held in folds]))
    metric = next(metric for _, metric in all_metrics() if metric.name == "accuracy")
    interval = resampled(scores, share, metric, int(asked.sum()))
    return Candidate(method, embedded, right[asked], interval, seconds, size)


def _logits(data: TrainingData, embedded: Embedded, method: Method, train: np.ndarray, held: np.ndarray) -> Tensor:
    head = head_for(data, embedded.network, method, embedded.features[torch.from_numpy(train)], train)
    with torch.inference_mode():
        found: Tensor = head(embedded.features[torch.from_numpy(held)])
    return found


def _folds(shots: Shots) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to answer, `REPEATS` times over all samples; none where no class has two.

    A class of one sample is in training always: held out, it could not be answered by anybody. Copies of a sample are
    held out together: one that is learned from would give the others away.
    """
    arrays, rows, counts = shots.data.arrays, shots.rows, shots.counts
    several = rows[counts[arrays.targets[rows]] > 1]
    if not len(several):
        return
    alone, number = np.setdiff1d(rows, several), int(min(MOST_FOLDS, counts[counts > 1].min()))
    strata = shots.data.task.strata(Targets(arrays.targets[several], arrays.names))
    contents = [shots.contents[row] for row in several.tolist()]
    number = min(max(number, 2), len(set(contents)))
    if number < 2:
        return
    groups = contents if len(set(contents)) < len(contents) else None
    for codes in fold_codes(strata, groups, number, REPEATS, derive_seed(shots.data.seed, "fewshot")):
        for fold in range(number):
            yield np.sort(np.concatenate([alone, several[codes != fold]])), several[codes == fold]


def _prior(k: int) -> tuple[str, ...]:
    return _PRIOR_OF_ONE if k < _FEW else _PRIOR


def _head(kind: str, k: int) -> HeadSpec:
    heads: Mapping[str, HeadSpec] = {
        "ridge": RidgeHead(),
        "prototype": PrototypeHead(),
        "logistic": LogisticHead(strength=_STRENGTH if k <= _FEW else None),
    }
    return heads[kind]


def _is_as_good(one: Candidate, best: Candidate) -> bool:
    if one.right is None or best.right is None:
        return True
    worse = best.right - one.right
    error = float(worse.std(ddof=1)) / np.sqrt(len(worse)) if len(worse) > 1 else 0.0
    return float(worse.mean()) <= error
