"""What a backbone costs, part by part: parameters, and multiply-adds of one sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from graft.models.backbone import Backbone, Hidden


@dataclass(frozen=True)
class Cost:
    """Of a stem, a block, or of all that lies on one side of a cut.

    Attributes:
        params: parameters, trainable or not.
        multiply_adds: of one sample; what is neither a convolution nor a product of matrices counts as nothing.
    """

    params: int
    multiply_adds: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.params + other.params, self.multiply_adds + other.multiply_adds)


@dataclass(frozen=True)
class BackboneCost:
    """Of every part of a backbone.

    Attributes:
        stem: what comes before the first block.
        blocks: in the order of the forward pass.
    """

    stem: Cost
    blocks: tuple[Cost, ...]

    @property
    def total(self) -> Cost:
        """Of the whole network."""
        return sum(self.blocks, self.stem)

    def below(self, cut: int) -> Cost:
        """What is frozen at a cut: nothing at 0, the stem and the first blocks from 1 on."""
        return sum(self.blocks[:cut], self.stem) if cut else Cost(0, 0)

    def above(self, cut: int) -> Cost:
        """What is left to train at a cut."""
        return sum(self.blocks[cut:], Cost(0, 0) if cut else self.stem)


@torch.inference_mode()
def cost_of(backbone: Backbone, batch: Mapping[str, Tensor] | Tensor) -> BackboneCost:
    """The cost of every part of a backbone.

    Args:
        backbone: in eval mode; on the device ``meta`` it takes neither memory nor arithmetic, where the network can
            run there.
        batch: one sample, on the same device.
    """
    stem, hidden = _counted(backbone.stem, lambda: backbone.begin(batch))
    blocks = []
    for block in backbone.blocks:
        cost, hidden = _counted(block, partial(backbone.through, hidden, [block]))
        blocks.append(cost)
    return BackboneCost(stem, tuple(blocks))


def _counted(part: nn.Module, run: Callable[[], Hidden]) -> tuple[Cost, Hidden]:
    # The counter brings the compiler along, a second of imports.
    from torch.utils.flop_counter import FlopCounterMode

    # It knows the fused attention of GPUs, not that of CPUs; written out, attention is two products of matrices.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        given = run()
    return Cost(_params(part), counter.get_total_flops() // 2), given


def _params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
