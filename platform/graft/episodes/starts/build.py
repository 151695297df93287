"""Starts as job files name them."""

from collections.abc import Mapping

from graft.episodes.samples import FEATURES, RAW
from graft.episodes.starts.concatenation import Concatenation
from graft.episodes.starts.feature_map import FeatureMap
from graft.episodes.starts.frozen import FrozenFeatures
from graft.episodes.starts.network import OwnNetwork
from graft.spec.meta.starts import BothStart, FrozenStart, MapStart, NetworkStart

Shapes = Mapping[str, tuple[int, ...]]
"""Of a sample, by view."""


def frozen(spec: FrozenStart, shapes: Shapes) -> FrozenFeatures:
    """Features as they are."""
    return FrozenFeatures(shapes[FEATURES][0])


def feature_map(spec: MapStart, shapes: Shapes) -> FeatureMap:
    """A map on them."""
    return FeatureMap(shapes[FEATURES][0], spec.width, spec.hidden, spec.dropout)


def network(spec: NetworkStart, shapes: Shapes) -> OwnNetwork:
    """A network on raw samples."""
    return OwnNetwork(shapes[RAW], spec.channels)


def both(spec: BothStart, shapes: Shapes) -> Concatenation:
    """Both side by side."""
    parts = [FeatureMap(shapes[FEATURES][0], spec.width), OwnNetwork(shapes[RAW], spec.channels)]
    return Concatenation(parts, [spec.share, 1 - spec.share])
