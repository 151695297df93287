"""What is minimised, apart from penalties."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from graft.spec.strategy import CrossEntropy

LossFunction = Callable[[Tensor, Tensor], Tensor]


def build_loss(spec: CrossEntropy) -> LossFunction:
    """The mean loss of a batch: logits [B, K] of any float type and labels [B] (int64) to a float32 scalar."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        # the log-sum-exp of bf16 logits would lose most of the digits that a small loss has
        return functional.cross_entropy(logits.float(), labels, label_smoothing=spec.label_smoothing)

    return loss
