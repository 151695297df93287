"""`strategy.tune`: which weights of the trained blocks move."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component
from graft.spec.components.head import DropoutRate


class TuningSpec(Component):
    """A tuning; built from (spec, parts, seed): it narrows what trains of these parts, in place.

    The parts are those of the backbone that start from pretrained values above the cut, from the input. Head and
    redrawn blocks train whole under every tuning. What is built returns the modules that stay in eval mode.
    """

    moves_matrices: ClassVar[bool] = True
    """Whether pretrained matrices and kernels are moved themselves: what a penalty toward the start is about."""

    has_adapters: ClassVar[bool] = False
    """Whether it adds weights of its own, which only a strategy with the same ones can take over."""

    def trained_blocks(self, start: int, stop: int) -> tuple[int, int]:
        """Which of the pretrained blocks ``start … stop − 1`` above the cut train at all, as a range like theirs."""
        return start, stop

    def simplest(self, start: int, stop: int) -> "TuningSpec":
        """The tuning that means the same for these pretrained blocks, once the cut is at the first that trains."""
        return AllWeights() if start == stop else self

    def shape(self) -> Mapping[str, Any]:
        """What two strategies must agree in to take over each other's adapters; empty without adapters."""
        plain = self.model_dump(mode="json")
        return {name: value for name, value in plain.items() if name != "dropout"} if self.has_adapters else {}


class AllWeights(TuningSpec):
    """Every weight above the cut."""

    kind: Literal["all"] = "all"
    built_by: ClassVar[str] = "graft.transfer.tuning.selected:all_weights"


class SurgicalTuning(TuningSpec):
    """Only some blocks of those above the cut (Lee et al., Surgical Fine-Tuning, ICLR 2023).

    The others stay as they were pretrained, in eval mode. The stem belongs to the first block, as it does for `freeze`.
    Redrawn blocks train in any case and are not counted.
    """

    kind: Literal["surgical"] = "surgical"
    built_by: ClassVar[str] = "graft.transfer.tuning.selected:surgical"
    part: Literal["first", "middle", "last"] = Field(
        "first", description="Which end of the blocks above the cut trains, or the middle of them."
    )
    blocks: int = Field(1, ge=1, le=100, description="How many blocks train; more than there are means all of them.")

    def trained_blocks(self, start: int, stop: int) -> tuple[int, int]:
        count = min(self.blocks, stop - start)
        spare = stop - start - count
        begin = start + {"first": 0, "middle": spare // 2, "last": spare}[self.part]
        return begin, begin + count

    def simplest(self, start: int, stop: int) -> TuningSpec:
        """With the cut below the first block that trains, those that train are always the first ones."""
        count = min(self.blocks, stop - start)
        return AllWeights() if count == stop - start else SurgicalTuning(part="first", blocks=count)


class NormTuning(TuningSpec):
    """Scales and shifts of the norm layers (Frankle, Schwab, Morcos, ICLR 2021); batch statistics move as usual."""

    kind: Literal["norms"] = "norms"
    built_by: ClassVar[str] = "graft.transfer.tuning.selected:norms"
    moves_matrices: ClassVar[bool] = False


class BiasTuning(TuningSpec):
    """The biases (BitFit: Ben Zaken, Goldberg, Ravfogel, ACL 2022); batch norm keeps its pretrained statistics."""

    kind: Literal["biases"] = "biases"
    built_by: ClassVar[str] = "graft.transfer.tuning.selected:biases"
    moves_matrices: ClassVar[bool] = False


Target = Annotated[str, Field(pattern=r"^[A-Za-z0-9_*]+(\.[A-Za-z0-9_*]+)*$", max_length=200)]
_TARGETS = "Layers, by the last parts of their names (`query`, `output.dense`; `*` stands for anything)"


class LowRank(TuningSpec):
    """Low-rank adapters (LoRA: Hu et al., ICLR 2022) on linear layers and convolutions that are not grouped.

    The pretrained weights stay as they are, and batch norm keeps its statistics.
    """

    kind: Literal["lora"] = "lora"
    built_by: ClassVar[str] = "graft.transfer.tuning.adapters:low_rank"
    moves_matrices: ClassVar[bool] = False
    has_adapters: ClassVar[bool] = True
    rank: int = Field(8, ge=1, le=1024, description="r: rank of the change of a weight.")
    alpha: float = Field(16.0, gt=0, le=10_000, description="α: the change is scaled by α / r.")
    dropout: DropoutRate = Field(0.0, description="Dropout before the adapters.")
    targets: tuple[Target, ...] = Field(
        (), strict=False, max_length=32, description=f"{_TARGETS}; empty for all that can have an adapter."
    )


class Rescaling(TuningSpec):
    """A learned scale for each output of a layer (IA³: Liu et al., NeurIPS 2022).

    The pretrained weights stay as they are, and batch norm keeps its statistics.
    """

    kind: Literal["ia3"] = "ia3"
    built_by: ClassVar[str] = "graft.transfer.tuning.adapters:rescaling"
    moves_matrices: ClassVar[bool] = False
    has_adapters: ClassVar[bool] = True
    targets: tuple[Target, ...] = Field(
        (), strict=False, max_length=32, description=f"{_TARGETS}; empty for all linear layers and convolutions."
    )
