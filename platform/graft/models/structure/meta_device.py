"""Networks on the meta device: shapes without values."""

from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class WithoutValues(TorchFunctionMode):
    """Draws no random weights: on the meta device there are none, and drawing them imports torch's compiler (1 s)."""

    def __torch_function__(
        self, function: Any, types: Any, given: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        named = named or {}
        if function in (nn.init.normal_, Tensor.normal_):
            return given[0] if given else named["tensor"]
        return function(*given, **named)
