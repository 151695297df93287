"""Mixed precision: the number format of the forward pass (autocast). All else is always float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from graft.core.errors import Problem, SpecError

Precision = Literal["auto", "fp32", "bf16"]


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which the forward pass runs in the precision asked for.

    ``auto`` is bf16 on a GPU that has it in hardware and fp32 elsewhere: on CPUs bf16 was measured to be slower for
    small images. bf16 has the range of float32, so no loss scaling is needed.

    Raises:
        SpecError: bf16 was asked for by name on a GPU without it.
    """
    if wants_bf16(precision, device):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def wants_bf16(precision: Precision, device: torch.device) -> bool:
    """Whether the precision means bf16 on this device.

    Raises:
        SpecError: bf16 was asked for by name on a GPU without it.
    """
    if precision == "fp32":
        return False
    supported = _has_bf16(device)
    if precision == "bf16" and not supported:
        rule = f"is bf16, but {device.type} device {device} has no bf16; take auto or fp32"
        raise SpecError([Problem("strategy.precision", rule)])
    return supported and (precision == "bf16" or device.type == "cuda")


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu"
