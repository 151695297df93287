"""Another batch norm in place of torch's, for the time of a forward pass.

Modules of batch norm are not replaced: subclasses would lose what they add (timm's hold the activation), and names and
classes in the network stay what they are. It is the function that they all call which is another one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class BatchNormCall:
    """The arguments of `torch.nn.functional.batch_norm`, in its order.

    Attributes:
        input: [B, C, …].
        running_mean: [C], moved in place by a call in training mode.
        running_var: [C], likewise.
        weight: [C].
        bias: [C].
        training: whether the statistics are those of the batch.
        momentum: by which running statistics move.
        eps: added to the variance.
    """

    input: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5

    def torch(self, **changes: Any) -> Tensor:
        """What torch's own function gives, with some arguments changed."""
        return functional.batch_norm(**vars(replace(self, **changes)))


class BatchNormMode(TorchFunctionMode):
    """While it is entered, ``torch.nn.functional.batch_norm`` is another function.

    Args:
        function: from a call to its output [B, C, …].
    """

    def __init__(self, function: Callable[[BatchNormCall], Tensor]) -> None:
        super().__init__()
        self._function = function

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is functional.batch_norm:
            return self._function(BatchNormCall(*args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))
