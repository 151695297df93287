"""Adaptation of biases, gains and shifts alone."""

from graft.episodes.adapters.inner_loop import FIVE_STEPS, InnerSteps, Weights, moved, support_loss
from graft.episodes.adapters.maml import Maml
from graft.episodes.adapters.protocol import Support, one_hot
from graft.episodes.starts.protocol import Start


class BitFit(Maml):
    """K gradient steps of the bias terms b and of the head; the matrices W stay as they are (Ben Zaken, Goldberg &
    Ravfogel, *BitFit: simple parameter-efficient fine-tuning*, ACL 2022, section 3).

    Bias terms are all parameters of one dimension: biases, and the gains and shifts of a normalisation. A start that
    has none, such as a linear map, keeps its vectors, and the head alone moves. What all of it begins at is
    meta-learned, as for `Maml`.

    Args:
        start: what is adapted.
        inner: the steps.
        from_prototypes: as for `Maml`.
    """

    def __init__(self, start: Start, inner: InnerSteps = FIVE_STEPS, from_prototypes: bool = True) -> None:
        super().__init__(start, inner, from_prototypes=from_prototypes)

    def adapted(self, start: Start, support: Support) -> Weights:
        """All weights of the task."""
        named: Weights = dict(start.named_parameters())
        still = {name: one for name, one in named.items() if one.ndim > 1}
        biases = {name: one for name, one in named.items() if one.ndim <= 1}
        begun = self.head.begin(start(support.inputs)[0], one_hot(support.labels, support.ways))
        found = moved(
            lambda now: support_loss(start, still | now, support.inputs, support.labels),
            biases | begun,
            self.rates(),
            self.inner,
        )
        return still | found
