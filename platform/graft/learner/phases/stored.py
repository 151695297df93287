"""The stored features that a training goes on from: those of its frozen blocks, and of those that rest at first."""

from collections.abc import Sequence
from dataclasses import replace

from graft.core.heartbeat import Watch
from graft.data.batch import RESTING
from graft.data.dataset import Split
from graft.data.feature_store.locks import NotStored
from graft.learner.cached_features import CachedFeatures, FeatureCache, Source, load_or_compute
from graft.learner.phases.head_phase import head_epochs, head_prefix_of
from graft.learner.phases.inputs import HeadFeatures, PhaseInputs
from graft.learner.prefix import Prefix, prefix_of
from graft.learner.pretrained import edited_backbone


def stored_inputs(
    given: PhaseInputs, source: Source, splits: Sequence[Split], steps_per_epoch: int, watch: Watch
) -> tuple[PhaseInputs, str]:
    """What a training is given, with the stored features that its search wants; computed where nobody has before.

    Args:
        given: the samples.
        source: what features are computed from.
        splits: what is trained on; the validation rows are needed besides.
        steps_per_epoch: batches of one.
        watch: what computed batches go through.

    Returns:
        What it is given, and why it has to go without some; empty where it has not.
    """
    data, strategy, lack = source.data, source.strategy, ""
    some = (Split.TRAIN, Split.VALIDATION) if data.folds else tuple(splits)

    def stored(prefix: Prefix | None) -> CachedFeatures | None:
        nonlocal lack
        cache = data.feature_cache
        if cache is None or prefix is None or not _is_wanted(prefix, cache, bool(data.folds)):
            return None
        try:
            return load_or_compute(cache, prefix, edited_backbone(strategy, data), source, some, watch)
        except NotStored as error:
            lack = f"frozen blocks are computed anew in every epoch, because their features cannot be kept: {error}"
            return None

    frozen, head = stored(prefix_of(strategy)), stored(head_prefix_of(strategy))
    if head is None:
        return replace(given, frozen=frozen), lack
    named = replace(head, inputs=replace(head.inputs, name=RESTING))
    epochs = head_epochs(strategy, data.epochs, steps_per_epoch)
    return replace(given, frozen=frozen, head=HeadFeatures(named, epochs)), lack


def _is_wanted(prefix: Prefix, cache: FeatureCache, has_folds: bool) -> bool:
    """Whether a search keeps features. Not views where there are folds: a row that one fold trains on, and another is
    scored on, would need its features twice."""
    return prefix in cache.wanted and not (has_folds and prefix.views)
