"""The features of frozen blocks: from the store if they are there, else into it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from graft.core.heartbeat import Watch, unwatched
from graft.core.storage import canonical_json
from graft.data.batch import FEATURES, Batch
from graft.data.dataset import Split
from graft.data.feature_store.features import Extract, Features, Produce, in_process
from graft.data.feature_store.key import FeatureKey, View, weights_digest
from graft.data.feature_store.locks import NotStored
from graft.data.feature_store.side_by_side import SideBySide
from graft.data.feature_store.store import FeatureStore
from graft.data.feature_store.store import Watch as BuildWatch
from graft.data.inputs import Augmenter, Inputs, Part, StoredFeatures, Views
from graft.learner.prefix import Prefix
from graft.learner.training_data import TrainingData
from graft.models.backbone import Backbone, Hidden, packed, unpacked
from graft.models.load import describe_backbone
from graft.spec.modalities.base import Preprocessing
from graft.spec.strategy import Strategy
from graft.training.precision import autocast, wants_bf16

EXTRACTION_BATCH = 128
# Rows of like length that are computed at once.
SORTED_BATCH = 32
# Features of shallower cuts that are pooled on the way are held in memory until the deeper ones are written.
_MOST_BESIDE_BYTES = 256 * 1024**2
RANDOM_NUMBERS = 2
"""Version of how augmentations draw theirs: features of views of another one are not those that would be computed."""


@dataclass(frozen=True)
class FeatureCache:
    """Where a search finds the features of frozen blocks.

    Attributes:
        store: keeps them.
        fingerprint: of the dataset's rows and their order.
        wanted: what is worth keeping; trials with other prefixes compute them anew.
    """

    store: FeatureStore
    fingerprint: str
    wanted: frozenset[Prefix]


@dataclass(frozen=True)
class Source:
    """What features are computed from, beside the network.

    Attributes:
        data: the dataset, its modality, the seed of the augmentations.
        strategy: whose frozen blocks they are; its augmentation and its precision matter.
        preprocessing: of the samples.
        device: where the forward pass runs.
    """

    data: TrainingData
    strategy: Strategy
    preprocessing: Preprocessing
    device: torch.device

    def inputs(self) -> Inputs:
        """The samples."""
        return self.data.modality.inputs(self.data.arrays.columns, self.preprocessing, self.device)


@dataclass(frozen=True)
class CachedFeatures:
    """Features that a training goes on from.

    Attributes:
        inputs: for the batches.
        metrics: what it took, for the first report: ``cache/hits`` and ``cache/misses`` count stored sets of features,
            ``cache/built_bytes`` and ``cache/seconds`` what was computed, ``cache/pass_seconds`` how long the blocks
            take for all rows once, where that was measured.
    """

    inputs: StoredFeatures
    metrics: Mapping[str, float]


def views_of(data: TrainingData, strategy: Strategy, preprocessing: Preprocessing) -> Augmenter | Views | None:
    """What changes the samples of a strategy's training; None for nothing."""
    augmenter = data.modality.augmenter(strategy.augment, data.data, preprocessing)
    count = strategy.augment.num_views
    return Views(augmenter, count, data.seed) if augmenter is not None and count else augmenter


def load_or_compute(
    feature_cache: FeatureCache,
    prefix: Prefix,
    backbone: Backbone,
    source: Source,
    splits: tuple[Split, ...],
    watch: Watch = unwatched,
) -> CachedFeatures:
    """The features that training on some splits, and validation, needs; computed if nobody has before.

    Args:
        feature_cache: where they are.
        prefix: the strategy's.
        backbone: as it was pretrained.
        source: what they are computed from.
        splits: what is trained on; the validation rows are needed besides.
        watch: what computed batches go through.

    Raises:
        NotStored: there is no room for them; training has to go without.
    """
    return _Builder(feature_cache, prefix, backbone.to(source.device).eval(), source, watch).cached(splits)


@dataclass(frozen=True)
class Extraction:
    """One set of features: what identifies it, how long it is, and what computes it."""

    key: FeatureKey
    rows: int
    extract: Extract


def extraction(
    feature_cache: FeatureCache, prefix: Prefix, backbone: Backbone, source: Source, split: Split
) -> Extraction:
    """How the features of the plain samples of a split are computed; see `load_or_compute`."""
    return _Builder(feature_cache, prefix, backbone.to(source.device).eval(), source).extraction(split, None)


class _Builder:
    """Opens or builds all that one training needs."""

    def __init__(
        self,
        feature_cache: FeatureCache,
        prefix: Prefix,
        backbone: Backbone,
        source: Source,
        watch: Watch = unwatched,
    ) -> None:
        self._feature_cache, self._prefix, self._backbone, self._source = feature_cache, prefix, backbone, source
        self._watch = watch
        self._arrays, self._views = source.data.arrays, views_of(source.data, source.strategy, source.preprocessing)
        self._built_below: list[Features] = []
        frozen = [backbone.stem, *list(backbone.blocks)[: prefix.cut]]
        self._plain_key = FeatureKey(
            data_fingerprint=feature_cache.fingerprint,
            split="",
            preprocessing=_canonical(source),
            view=None,
            weights_digest=weights_digest(frozen),
            backbone=prefix.backbone,
            cut=prefix.cut,
            pool=prefix.pool,
        )

    def cached(self, splits: tuple[Split, ...]) -> CachedFeatures:
        views = range(self._prefix.views) if self._prefix.views else [None]
        wanted = [(split, view) for split in splits for view in views]
        if (Split.VALIDATION, None) not in wanted:
            wanted.append((Split.VALIDATION, None))
        parts: dict[int | None, list[Part]] = {}
        for split, view in wanted:
            parts.setdefault(view, []).append(self._part(split, view))
        found = [part.features for some in parts.values() for part in some]
        # Pooled features are of one length, but their batches must be those that the whole network would be given.
        stored = StoredFeatures(parts, self._source.device, self._source.inputs().lengths)
        return CachedFeatures(stored, _told([*found, *self._built_below]))

    def extraction(self, split: Split, view: int | None) -> Extraction:
        rows = self._arrays.rows(split)
        return Extraction(self._key(split, view, self._prefix.cut), len(rows), self._extract(split, view))

    def _part(self, split: Split, view: int | None) -> Part:
        features = self._feature_cache.store.open(self._key(split, view, self._prefix.cut))
        return Part(self._arrays.rows(split), self._built(split, view) if features is None else features)

    def _built(self, split: Split, view: int | None) -> Features:
        """Computed and stored; with them, what the search wants of shallower cuts and is pooled on the way."""
        rows, beside = len(self._arrays.rows(split)), self._beside(split, view)
        cuts, own = tuple(key.cut for key in beside), self._extract(split, view)
        shape = own(0, 1).shape[1:]
        key = self._key(split, view, self._prefix.cut)
        if not beside:
            return self._store(key, shape, rows, in_process(own, EXTRACTION_BATCH))
        widths = [self._extract(split, view, (cut,))(0, 1).shape[1] - shape[0] for cut in cuts]
        produce = in_process(self._extract(split, view, cuts), EXTRACTION_BATCH)
        together = SideBySide(produce, [*widths, *shape], rows)
        features = self._store(key, shape, rows, together.last)
        if features.work.kind == "built":  # otherwise nothing was computed, or not all rows were
            for place, one in enumerate(beside):
                with contextlib.suppress(NotStored):
                    self._built_below.append(self._store(one, (widths[place],), rows, together.held(place)))
        return features

    def _store(self, key: FeatureKey, shape: tuple[int, ...], rows: int, produce: Produce) -> Features:
        waiting = BuildWatch(on_wait=self._wait)
        store = self._feature_cache.store
        return store.build(key, shape, rows, lambda start, stop: self._watch(produce(start, stop)), waiting)

    def _beside(self, split: Split, view: int | None) -> list[FeatureKey]:
        """Pooled features of shallower cuts that the search wants and nobody has computed, the shallowest first."""
        if self._prefix.cut < len(self._backbone.blocks):
            return []
        start = max((one.cut for one in self._shallower()), default=0)  # what is below is stored: nothing passes there
        wanted = [one for one in self._feature_cache.wanted if one.is_on_the_way_to(self._prefix) and one.cut > start]
        widest = 4 * describe_backbone(self._prefix.backbone).num_features
        if len(self._arrays.rows(split)) * widest * len(wanted) > _MOST_BESIDE_BYTES:
            return []
        keys = [self._key(split, view, one.cut, one.pool) for one in sorted(wanted, key=lambda one: one.cut)]
        return [key for key in keys if not self._is_stored(key)]

    def _is_stored(self, key: FeatureKey) -> bool:
        features = self._feature_cache.store.open(key)
        if features is None:
            return False
        features.close()
        return True

    def _wait(self, seconds: float, share: float) -> None:
        """Whoever waits for another builder does not hang: somebody looks after that one."""
        for _ in self._watch(("another look",)):
            pass

    def _key(self, split: Split, view: int | None, cut: int, pool: str = "") -> FeatureKey:
        key = replace(self._plain_key, split=split.name.lower(), cut=cut)
        if cut != self._prefix.cut:
            frozen = [self._backbone.stem, *list(self._backbone.blocks)[:cut]]
            key = replace(key, weights_digest=weights_digest(frozen), pool=pool)
        if view is None:
            return key
        data, augment = self._source.data, self._source.strategy.augment
        kept = {name: getattr(data.data, name, None) for name in ("flip", "rotation")}
        policy = {"augment": augment.model_dump(mode="json"), **kept}
        return replace(key, view=View(view, canonical_json({**policy, "draws": RANDOM_NUMBERS}), data.seed))

    def _extract(self, split: Split, view: int | None, beside: tuple[int, ...] = ()) -> Extract:
        """Computes features from the deepest ones below that are wanted too, else from the samples.

        Args:
            split: whose rows.
            view: which stored augmentation; None for the plain samples.
            beside: shallower cuts whose pooled features come first in each row; the own ones are pooled then.
        """
        below = self._below(split, view)
        if below is not None:
            cut, stored = below
            rows = np.arange(len(stored))
            inputs: Inputs = StoredFeatures({view: [Part(rows, stored)]}, self._source.device)
            return self._forward(inputs, rows, view, partial(self._between, cut, beside))
        samples = self._source.inputs()
        return self._forward(samples, self._arrays.rows(split), view, partial(self._from_samples, beside))

    def _from_samples(self, beside: tuple[int, ...], batch: Batch) -> Hidden:
        if not beside:
            return self._backbone.below(batch, self._prefix.cut)
        return self._together(self._backbone.begin(batch), 0, beside)

    def _between(self, cut: int, beside: tuple[int, ...], batch: Batch) -> Hidden:
        hidden = unpacked(batch[FEATURES], self._backbone.is_sequential)
        if not beside:
            return self._backbone.between(hidden, cut, self._prefix.cut)
        return self._together(hidden, cut, beside)

    def _together(self, hidden: Hidden, start: int, beside: tuple[int, ...]) -> Tensor:
        return torch.cat(self._backbone.pooled_between(hidden, start, (*beside, self._prefix.cut)), dim=1)

    def _below(self, split: Split, view: int | None) -> tuple[int, Features] | None:
        """What a shallower cut gives. It is computed now if it is missing: somebody will want it, and from the samples
        up, all cuts together cost one pass."""
        shallower = sorted(self._shallower(), key=lambda one: one.cut, reverse=True)
        for prefix in shallower:
            stored = self._feature_cache.store.open(self._key(split, view, prefix.cut))
            if stored is not None:
                return prefix.cut, stored
            builder = _Builder(self._feature_cache, prefix, self._backbone, self._source, self._watch)
            with contextlib.suppress(NotStored):
                stored = builder._part(split, view).features
                self._built_below += [stored, *builder._built_below]
                return prefix.cut, stored
        return None

    def _shallower(self) -> Iterator[Prefix]:
        return (one for one in self._feature_cache.wanted if one.is_below(self._prefix))

    def _forward(
        self, inputs: Inputs, rows: np.ndarray, view: int | None, compute: Callable[[Batch], Hidden]
    ) -> Extract:
        views, source = self._views, self._source
        fixed = source.inputs().fixed

        def forward(some: np.ndarray) -> np.ndarray:
            has_view = view is not None and isinstance(views, Views)
            batch = inputs.view(some, views, view) if has_view else inputs.plain(some)  # type: ignore[arg-type]
            with torch.inference_mode(), autocast(source.strategy.precision, source.device):
                features = torch.cat([packed(compute(part), fixed) for part in batch.computed_at_once()])
            array: np.ndarray = features.float().cpu().contiguous().numpy()
            return array

        def extract(start: int, stop: int) -> np.ndarray:
            some = rows[start:stop]
            if inputs.lengths is None:
                return forward(some)
            # Rows of like length together: a long one makes all the others of its batch as long.
            order = np.argsort(inputs.lengths[some], kind="stable")
            parts = [forward(some[order[first : first + SORTED_BATCH]]) for first in range(0, len(some), SORTED_BATCH)]
            return np.concatenate(parts)[np.argsort(order, kind="stable")]

        return extract


def _canonical(source: Source) -> str:
    """What is done to the samples before, and in which numbers the blocks compute."""
    is_bf16 = wants_bf16(source.strategy.precision, source.device)
    return canonical_json({**source.preprocessing.model_dump(mode="json"), "bf16": is_bf16})


def _told(found: list[Features]) -> dict[str, float]:
    built = [features for features in found if features.work.kind != "hit"]
    told = {
        "cache/hits": float(len(found) - len(built)),
        "cache/misses": float(len(built)),
        "cache/built_bytes": float(sum(features.work.bytes for features in built)),
        "cache/seconds": sum(features.work.seconds for features in built),
    }
    computed = [features for features in built if features.work.kind == "built"]
    if len(computed) == len(found):
        told["cache/pass_seconds"] = sum(features.work.seconds for features in computed)
    return told
