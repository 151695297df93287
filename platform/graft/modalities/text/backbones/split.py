"""An encoder of transformers as stem, layers and pool, cut without a change of its last bits.

A layer of such an encoder takes more than its input: masks, rotary angles, relative positions. These the encoder
computes itself from the mask and, for some families, from parameters beside the layers. So a run from the middle is a
run of the encoder itself, with other layers in its list and its embeddings passed by.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from graft.modalities.text.backbones.families import Family
from graft.modalities.text.info import NAMES
from graft.models.backbone import Backbone, Hidden, Masked


class TextBackbone(Backbone):
    """An encoder; its features are the mean of the last states of a text's tokens.

    Args:
        network: of a class of transformers; its modules are taken over, so use it no more.
        family: where its parts are.
        num_features: width of its states.
    """

    def __init__(self, network: nn.Module, family: Family, num_features: int) -> None:
        blocks: list[nn.Module] = list(_list_of(network, family))
        _set(network, family.layers, nn.ModuleList([_Idle()] if family.never_empty else []))
        if family.norm is not None:
            blocks.append(FinalNorm(network.get_submodule(family.norm)))
            _set(network, family.norm, nn.Identity())
        names = tuple(name for name in NAMES if family.segments or name != "token_type_ids")
        super().__init__(TextStem(network, names), blocks, MaskedMean(), num_features)
        self._family = family

    @property
    def is_sequential(self) -> bool:
        """A state for every token lies between two layers."""
        return True

    def through(self, hidden: Hidden, blocks: Sequence[nn.Module]) -> Hidden:
        """What some blocks that follow each other make of what those before them give."""
        for is_norm, some in groupby(blocks, lambda block: isinstance(block, FinalNorm)):
            run = list(some)
            hidden = run[0](hidden) if is_norm else self._layers(hidden, run)
        return hidden

    def _layers(self, hidden: Hidden, layers: Sequence[nn.Module]) -> Masked:
        network = self.stem.network
        assert isinstance(network, nn.Module)
        assert isinstance(hidden, Masked), "layers of an encoder take sequences"
        run = _with_layers(network, self._family, layers)
        lower = not self._family.needs_float32
        with _precision(hidden.states.device.type, lower):
            states = hidden.states if lower else hidden.states.float()
            given: Tensor = run(inputs_embeds=states, attention_mask=hidden.mask.long()).last_hidden_state
        return Masked(given, hidden.mask)


class TextStem(nn.Module):
    """An encoder without its layers: embeddings, and whatever else all layers share.

    Args:
        network: the encoder, its list of layers empty.
        names: tensors of a batch that it takes.
    """

    def __init__(self, network: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.names = names

    def forward(self, batch: Mapping[str, Tensor]) -> Masked:
        """Embedded tokens."""
        given = {name: batch[name] for name in self.names if name in batch}
        return Masked(self.network(**given).last_hidden_state, batch["attention_mask"].bool())


class FinalNorm(nn.Module):
    """The norm behind the last layer; a block, because it has parameters.

    Args:
        norm: of states.
    """

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, hidden: Masked) -> Masked:
        """Normed states, the mask as it is."""
        return Masked(self.norm(hidden.states), hidden.mask)


class MaskedMean(nn.Module):
    """The mean of the states that the mask keeps."""

    def forward(self, hidden: Masked) -> Tensor:
        """[B, D] of states [B, L, D]."""
        # A where, because a masked state may be anything, and zero times infinity is not zero.
        kept = torch.where(hidden.mask[..., None], hidden.states, torch.zeros_like(hidden.states))
        # bfloat16 cannot even count to 257.
        precise = torch.promote_types(kept.dtype, torch.float32)
        return kept.sum(dim=1, dtype=precise) / hidden.mask.sum(dim=1, keepdim=True).clamp(min=1)


class _PassedBy(nn.Module):
    """Stands for embeddings: gives what it is given, which the encoders hand over by name or by position."""

    def forward(self, *given: Any, inputs_embeds: Tensor | None = None, **_: Any) -> Tensor:
        if inputs_embeds is not None:
            return inputs_embeds
        states: Tensor = next(one for one in given if isinstance(one, Tensor) and one.is_floating_point())
        return states


class _Idle(nn.Module):
    """A layer of DeBERTa that does nothing."""

    def forward(self, states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        return states, None


def _precision(device: str, lower: bool) -> AbstractContextManager[None]:
    """As around it, or float32; a network without values (`meta`) computes in none."""
    if device == "meta":
        return nullcontext()
    return torch.autocast(device, enabled=lower and torch.is_autocast_enabled(device))


def _with_layers(network: nn.Module, family: Family, layers: Sequence[nn.Module]) -> nn.Module:
    """The encoder with these layers and nothing before them.

    A shallow copy of the modules on the way to the list, made for one run: the parameters are the same, nothing is
    registered twice, and two threads do not see each other's layers.
    """
    run = _shallow(network)
    for name in family.before:
        if name in run._modules:
            run._modules[name] = _PassedBy()
    *parents, last = family.layers.split(".")
    parent = run
    for name in parents:
        child = _shallow(parent.get_submodule(name))
        parent._modules[name] = child
        parent = child
    parent._modules[last] = nn.ModuleList(layers)
    return run


def _shallow(module: nn.Module) -> nn.Module:
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin


def _list_of(network: nn.Module, family: Family) -> Iterator[nn.Module]:
    found = network.get_submodule(family.layers)
    assert isinstance(found, nn.ModuleList)
    return iter(found)


def _set(network: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, module)
