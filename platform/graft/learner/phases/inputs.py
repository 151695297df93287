"""What a network is given at each place of a training: samples, or the deepest stored features that it goes on from."""

from collections.abc import Mapping
from dataclasses import dataclass

from graft.data.inputs import Inputs
from graft.learner.cached_features import CachedFeatures
from graft.transfer.freezing import AdaptedModel


@dataclass
class HeadFeatures:
    """Stored features of all blocks that rest while the head trains alone.

    Attributes:
        cached: the features.
        epochs: whole epochs, from the first, that train on them; 0 where only the start of the head is solved on them.
            Fewer where the training becomes shorter.
    """

    cached: CachedFeatures
    epochs: int = 0


@dataclass(frozen=True)
class PhaseInputs:
    """What the models of one strategy are given.

    Stored features are taken only where the weights below are those that made them: a state that was loaded, or a step
    that trained them, ends it.

    Attributes:
        samples: what the whole network takes.
        frozen: features of the blocks that never train, if they are stored.
        head: features of those that train later, if they are stored.
    """

    samples: Inputs
    frozen: CachedFeatures | None = None
    head: HeadFeatures | None = None

    @property
    def ends_with_phase(self) -> bool:
        """Whether epochs train on features of blocks that begin to train later."""
        return self.head is not None and self.head.epochs > 0

    def shorten(self, epochs: int) -> None:
        """Train no more than so many epochs on features of blocks that begin to train then."""
        if self.head is not None:
            self.head.epochs = min(self.head.epochs, epochs)

    @property
    def below(self) -> Inputs:
        """Of a model that nothing has changed yet, for what looks at the blocks that train."""
        return self.frozen.inputs if self.frozen else self.samples

    @property
    def at_start(self) -> Inputs:
        """Of a model that nothing has changed yet, for its features."""
        return self.head.cached.inputs if self.head else self.below

    def trained(self, model: AdaptedModel, epoch: int) -> Inputs:
        """What a model is trained on in an epoch, from 1."""
        if self.head is not None and epoch <= self.head.epochs and model.rests_as_pretrained:
            return self.head.cached.inputs
        return self._frozen(model)

    def judged(self, model: AdaptedModel) -> Inputs:
        """What a model is judged on as it stands."""
        if self.head is not None and self.head.epochs and model.rests_as_pretrained:
            return self.head.cached.inputs
        return self._frozen(model)

    def facts(self, model: AdaptedModel) -> Mapping[str, float]:
        """What it took to have the stored features that a model can take; see `CachedFeatures.metrics`.

        ``cache/pass_seconds`` is left out where two cuts are stored: it would be that of neither.
        """
        used = [self.frozen] if self.frozen and model.is_pretrained_below else []
        used += [self.head.cached] if self.head and model.rests_as_pretrained else []
        if len(used) < 2:
            return used[0].metrics if used else {}
        first, second = (one.metrics for one in used)
        return {name: first[name] + second[name] for name in first.keys() & second.keys() - {"cache/pass_seconds"}}

    def _frozen(self, model: AdaptedModel) -> Inputs:
        return self.frozen.inputs if self.frozen and model.is_pretrained_below else self.samples
