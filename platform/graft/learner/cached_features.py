"""The features of frozen blocks: from the store if they are there, else into it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from graft.core.storage import canonical_json
from graft.data.augment import Augmenter
from graft.data.dataset import DatasetArrays, Split
from graft.data.feature_store.disk_errors import NotStored
from graft.data.feature_store.features import Features
from graft.data.feature_store.fingerprint import weights_digest
from graft.data.feature_store.key import FeatureKey, View
from graft.data.feature_store.produce import Extract, in_process
from graft.data.feature_store.store import FeatureStore
from graft.data.inputs import Images, Inputs, Part, StoredFeatures, Views
from graft.learner.prefix import Prefix, num_views
from graft.models.backbone import Backbone
from graft.spec.data import Flip
from graft.spec.preprocessing import Preprocessing
from graft.spec.strategy import Strategy
from graft.training.precision import Precision, autocast, wants_bf16

EXTRACTION_BATCH = 128


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
        arrays: the dataset.
        preprocessing: of its images.
        flip: which mirror images keep the label.
        seed: root of the augmentations.
        precision: of the forward pass.
        device: where it runs.
    """

    arrays: DatasetArrays
    preprocessing: Preprocessing
    flip: Flip
    seed: int
    precision: Precision
    device: torch.device


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


def views_of(strategy: Strategy, flip: Flip, seed: int) -> Augmenter | Views:
    """What changes the images of a strategy's training."""
    augmenter, count = Augmenter(strategy.augment, flip), num_views(strategy)
    return Views(augmenter, count, seed) if count else augmenter


def load_or_compute(
    feature_cache: FeatureCache,
    prefix: Prefix,
    backbone: Backbone,
    strategy: Strategy,
    source: Source,
    splits: tuple[Split, ...],
) -> CachedFeatures:
    """The features that training on some splits, and validation, needs; computed if nobody has before.

    Args:
        feature_cache: where they are.
        prefix: the strategy's.
        backbone: as it was pretrained.
        strategy: what is trained.
        source: what they are computed from.
        splits: what is trained on; the validation rows are needed besides.

    Raises:
        NotStored: there is no room for them; training has to go without.
    """
    return _Builder(feature_cache, prefix, backbone.to(source.device).eval(), strategy, source).cached(splits)


@dataclass(frozen=True)
class Extraction:
    """One set of features: what identifies it, how long it is, and what computes it."""

    key: FeatureKey
    rows: int
    extract: Extract


def extraction(
    feature_cache: FeatureCache, prefix: Prefix, backbone: Backbone, strategy: Strategy, source: Source, split: Split
) -> Extraction:
    """How the features of the plain images of a split are computed; see `load_or_compute`."""
    return _Builder(feature_cache, prefix, backbone.to(source.device).eval(), strategy, source).extraction(split, None)


class _Builder:
    """Opens or builds all that one training needs."""

    def __init__(
        self, feature_cache: FeatureCache, prefix: Prefix, backbone: Backbone, strategy: Strategy, source: Source
    ) -> None:
        self._feature_cache, self._prefix, self._backbone = feature_cache, prefix, backbone
        self._strategy, self._source = strategy, source
        self._built_below: list[Features] = []
        frozen = [backbone.stem, *list(backbone.blocks)[: prefix.cut]]
        self._plain_key = FeatureKey(
            data_fingerprint=feature_cache.fingerprint,
            split="",
            preprocessing=_canonical(source, strategy),
            view=None,
            weights_digest=weights_digest(frozen),
            backbone=prefix.backbone,
            cut=prefix.cut,
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
        return CachedFeatures(StoredFeatures(parts, self._source.device), _told([*found, *self._built_below]))

    def extraction(self, split: Split, view: int | None) -> Extraction:
        rows = self._source.arrays.rows(split)
        return Extraction(self._key(split, view, self._prefix.cut), len(rows), self._extract(split, view))

    def _part(self, split: Split, view: int | None) -> Part:
        store, key = self._feature_cache.store, self._key(split, view, self._prefix.cut)
        features = store.open(key)
        if features is None:
            one = self.extraction(split, view)
            shape = one.extract(0, 1).shape[1:]
            features = store.build(key, shape, one.rows, in_process(one.extract, EXTRACTION_BATCH))
        return Part(self._source.arrays.rows(split), features)

    def _key(self, split: Split, view: int | None, cut: int) -> FeatureKey:
        key = replace(self._plain_key, split=split.name.lower(), cut=cut)
        if cut != self._prefix.cut:
            frozen = [self._backbone.stem, *list(self._backbone.blocks)[:cut]]
            key = replace(key, weights_digest=weights_digest(frozen))
        if view is None:
            return key
        policy = canonical_json({"augment": self._strategy.augment.model_dump(mode="json"), "flip": self._source.flip})
        return replace(key, view=View(view, policy, self._source.seed))

    def _extract(self, split: Split, view: int | None) -> Extract:
        """Computes features from the deepest ones below that are wanted too, else from the images."""
        below = self._below(split, view)
        if below is not None:
            cut, stored = below
            rows = np.arange(len(stored))
            inputs: Inputs = StoredFeatures({view: [Part(rows, stored)]}, self._source.device)
            return self._forward(inputs, rows, view, lambda x: self._backbone.between(x, cut, self._prefix.cut))
        images = Images(self._source.arrays.images, self._source.preprocessing, self._source.device)
        rows = self._source.arrays.rows(split)
        return self._forward(images, rows, view, lambda x: self._backbone.below(x, self._prefix.cut))

    def _below(self, split: Split, view: int | None) -> tuple[int, Features] | None:
        """What a shallower cut gives. It is computed now if it is missing: somebody will want it, and from the images
        up, all cuts together cost one pass."""
        shallower = sorted(self._shallower(), key=lambda one: one.cut, reverse=True)
        for prefix in shallower:
            stored = self._feature_cache.store.open(self._key(split, view, prefix.cut))
            if stored is not None:
                return prefix.cut, stored
            builder = _Builder(self._feature_cache, prefix, self._backbone, self._strategy, self._source)
            with contextlib.suppress(NotStored):
                stored = builder._part(split, view).features
                self._built_below += [stored, *builder._built_below]
                return prefix.cut, stored
        return None

    def _shallower(self) -> Iterator[Prefix]:
        for one in self._feature_cache.wanted:
            if replace(one, cut=self._prefix.cut) == self._prefix and one.cut < self._prefix.cut:
                yield one

    def _forward(
        self,
        inputs: Inputs,
        rows: np.ndarray,
        view: int | None,
        compute: Callable[[torch.Tensor], torch.Tensor],
    ) -> Extract:
        views = views_of(self._strategy, self._source.flip, self._source.seed)

        def extract(start: int, stop: int) -> np.ndarray:
            some = rows[start:stop]
            x = inputs.view(some, views, view) if view is not None and isinstance(views, Views) else inputs.plain(some)
            with torch.inference_mode(), autocast(self._source.precision, self._source.device):
                features = compute(x)
            array: np.ndarray = features.float().cpu().contiguous().numpy()
            return array

        return extract


def _canonical(source: Source, strategy: Strategy) -> str:
    """What is done to the images before, and in which numbers the blocks compute."""
    is_bf16 = wants_bf16(strategy.precision, source.device)
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
