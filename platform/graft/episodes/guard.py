"""Refuses a gradient that several processes would not average."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.nn.parallel import DistributedDataParallel

from graft.core.errors import SpecError


def functional_gradient(module: nn.Module, *inputs: Any) -> dict[str, Tensor]:
    """∇ of a module that gives a loss, by its parameters, with `torch.func`.

    Raises:
        SpecError: the module is, or holds, one that is wrapped for several processes: its hooks do not see such a
            gradient, and every process would silently keep its own.
    """
    require_unwrapped(module)
    weights = {name: one.detach() for name, one in module.named_parameters()}
    loss: Callable[[dict[str, Tensor]], Tensor] = lambda now: functional_call(module, now, inputs)  # noqa: E731
    found: dict[str, Tensor] = grad(loss)(weights)
    return found


def require_unwrapped(module: nn.Module) -> None:
    """Raise if a module is, or holds, one that is wrapped for several processes.

    Raises:
        SpecError: it is.
    """
    for name, one in module.named_modules():
        if isinstance(one, DistributedDataParallel):
            raise SpecError(
                f"module {name or type(module).__name__} is wrapped for several processes, but a gradient by "
                "torch.func passes its hooks by and is not averaged; wrap MetaLoss, and call backward() on its loss"
            )
