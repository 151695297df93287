"""Tunings that train some of the pretrained weights and add none."""

from collections.abc import Iterable, Iterator, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from graft.core.errors import Problem, SpecError
from graft.models.network import Part
from graft.spec.components.tuning import AllWeights, BiasTuning, NormTuning, SurgicalTuning


def all_weights(spec: AllWeights, parts: Sequence[Part], seed: int) -> list[nn.Module]:
    """Everything trains."""
    return []


def surgical(spec: SurgicalTuning, parts: Sequence[Part], seed: int) -> list[nn.Module]:
    """The first blocks, with the stem where that is above the cut (`frozen_part` has raised the cut to them)."""
    blocks = [part.module for part in parts if part.role == "block"]
    others = blocks[spec.blocks :]
    for module in others:
        module.requires_grad_(False)
    return others


def norms(spec: NormTuning, parts: Sequence[Part], seed: int) -> list[nn.Module]:
    """γ and β of the norm layers.

    Raises:
        SpecError: the parts have no norm layer with weights.
    """
    # Norm layers of any library are named so.
    layers = (module for module in modules_of(parts) if "Norm" in type(module).__name__)
    _train_only((parameter for layer in layers for parameter in layer.parameters(recurse=False)), parts, "norms")
    return []


def biases(spec: BiasTuning, parts: Sequence[Part], seed: int) -> list[nn.Module]:
    """What is named `bias`, or ends so, as the biases of torch's attention do.

    Raises:
        SpecError: the parts have no bias.
    """
    named = (one for part in parts for name, one in part.named_parameters().items() if name.endswith("bias"))
    _train_only(named, parts, "biases")
    return with_statistics(parts)


def modules_of(parts: Iterable[Part]) -> Iterator[nn.Module]:
    """All modules of some parts."""
    return (module for part in parts for module in part.module.modules())


def with_statistics(parts: Iterable[Part]) -> list[nn.Module]:
    """Norm layers that keep statistics of what they have seen."""
    return [module for module in modules_of(parts) if isinstance(module, _NormBase)]


def _train_only(chosen: Iterable[nn.Parameter], parts: Sequence[Part], kind: str) -> None:
    kept = list(chosen)
    if not kept:
        told = f"is {kind}, but the blocks that train have none; take another tuning, or a smaller strategy.freeze"
        raise SpecError([Problem("strategy.tune", told)])
    for part in parts:
        part.module.requires_grad_(False)
    for parameter in kept:
        parameter.requires_grad_(True)
