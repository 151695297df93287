"""Every family, cut at every border, gives the last bits of the uncut encoder."""

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from tests.modalities.text.configurations import FAMILIES, architecture
from torch import Tensor, nn

from graft.data.batch import Batch
from graft.modalities.text.backbones.split import MaskedMean, TextBackbone
from graft.modalities.text.backbones.transformers import TransformersLibrary
from graft.models.backbone import Masked, packed, unpacked

LIBRARY = TransformersLibrary()
LENGTHS = (20, 12, 5)


def batch_of(names: tuple[str, ...]) -> Batch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    ids = torch.randint(5, 120, mask.shape, generator=generator).where(mask, torch.tensor(1))
    given = {"input_ids": ids, "attention_mask": mask.long(), "token_type_ids": torch.zeros_like(ids)}
    return Batch({name: given[name] for name in names})


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def built(family: str, **changes: Any) -> tuple[nn.Module, TextBackbone, Batch]:
    torch.manual_seed(0)
    network = LIBRARY.create(architecture(family, **changes)).eval()
    names = LIBRARY.describe(architecture(family, **changes)).input.names
    return network, LIBRARY.wrap(copy.deepcopy(network)).eval(), batch_of(names)


def mean_of(states: Tensor, mask: Tensor) -> Tensor:
    return torch.stack([some[kept.bool()].mean(dim=0) for some, kept in zip(states, mask, strict=True)])


@torch.no_grad()
def test_every_cut_is_exact(family: str) -> None:
    network, backbone, batch = built(family)
    states = network(**batch).last_hidden_state
    whole = MaskedMean()(Masked(states, batch["attention_mask"].bool()))
    assert torch.allclose(whole, mean_of(states, batch["attention_mask"]), atol=1e-6)
    for cut in range(len(backbone.blocks) + 1):
        below = backbone.below(batch, cut)
        assert (backbone.above(below, cut) - whole).abs().max().item() == 0.0, cut
        stored = unpacked(packed(below, 24), isinstance(below, Masked))
        assert (backbone.above(stored, cut) - whole).abs().max().item() == 0.0, cut
    assert (backbone(batch) - whole).abs().max().item() == 0.0


@torch.no_grad()
def test_texts_of_one_length_are_cut_exactly(family: str) -> None:
    # Without padding some encoders go without a mask.
    network, backbone, batch = built(family)
    batch = Batch({name: tensor[:1] for name, tensor in batch.items()})
    whole = network(**batch).last_hidden_state
    for cut in range(len(backbone.blocks)):
        below = backbone.below(batch, cut)
        states = backbone.through(below, backbone.blocks[cut:])
        assert isinstance(states, Masked)
        assert torch.equal(states.states, whole), cut


def test_all_parameters_have_one_name_and_a_gradient(family: str) -> None:
    network, backbone, batch = built(family)
    expected = sum(parameter.numel() for parameter in network.parameters())
    assert sum(parameter.numel() for parameter in backbone.parameters()) == expected
    assert all(name.startswith(("stem.", "blocks.")) for name, _ in backbone.named_parameters())
    assert len(backbone.state_dict()) == len({tensor.data_ptr() for tensor in backbone.state_dict().values()})
    backbone(batch).square().sum().backward()
    assert [name for name, parameter in backbone.named_parameters() if parameter.grad is None] == []


def test_gradients_stop_at_the_cut(family: str) -> None:
    _, backbone, batch = built(family)
    whole = copy.deepcopy(backbone)
    for module in (backbone.stem, *backbone.blocks[:2], whole.stem, *whole.blocks[:2]):
        module.requires_grad_(False)
    backbone.above(backbone.below(batch, 2), 2).square().sum().backward()
    whole(batch).square().sum().backward()
    got = {name: parameter.grad for name, parameter in backbone.named_parameters()}
    for name, parameter in whole.named_parameters():
        assert (got[name] is None) == (parameter.grad is None) == name.startswith(("stem.", "blocks.0.", "blocks.1."))
        if parameter.grad is not None:
            assert torch.equal(parameter.grad, got[name])


@torch.no_grad()
def test_a_copy_lives_on_its_own(family: str) -> None:
    _, backbone, batch = built(family)
    before = backbone(batch)
    twin = copy.deepcopy(backbone)
    for parameter in twin.parameters():
        parameter.add_(0.1)
    assert torch.equal(backbone(batch), before)
    other = LIBRARY.wrap(LIBRARY.create(architecture(family))).eval()
    assert not torch.equal(other(batch), before)
    other.load_state_dict(backbone.state_dict())
    assert torch.equal(other(batch), before)


def test_a_run_leaves_nothing_behind(family: str) -> None:
    _, backbone, batch = built(family)
    names = [name for name, _ in backbone.named_modules()]
    backbone.below(batch, 2)
    assert [name for name, _ in backbone.named_modules()] == names
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in backbone.modules())
    backbone.train()
    assert backbone.stem.network.training
    assert all(module.training for module in backbone.modules())


def test_dropout_is_that_of_the_mode(family: str) -> None:
    changes = {"attention_dropout": 0.5} if "modern" in family or "distil" in family else {"hidden_dropout_prob": 0.5}
    _, backbone, batch = built(family, **changes)
    assert torch.equal(backbone(batch), backbone(batch))
    backbone.train()
    hidden = backbone.eval().below(batch, 2)
    for block in backbone.blocks:
        block.train()
    assert not torch.equal(backbone.above(hidden, 2), backbone.above(hidden, 2))


def test_lower_precision_trains(family: str) -> None:
    _, backbone, batch = built(family)
    with torch.no_grad():
        full = backbone(batch)
    with torch.autocast("cpu", torch.bfloat16):
        low = backbone(batch)
        assert (backbone.above(backbone.below(batch, 2), 2) - low).abs().max().item() == 0.0
    assert low.dtype == torch.float32
    assert torch.allclose(low, full, atol=0.1)
    low.square().sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@torch.no_grad()
def test_threads_do_not_see_each_other(family: str) -> None:
    _, backbone, batch = built(family)
    expected = backbone(batch)
    hidden = {cut: backbone.below(batch, cut) for cut in range(4)}

    @torch.no_grad()
    def run(cut: int) -> bool:
        return torch.equal(backbone.above(hidden[cut], cut), expected)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(run, [0, 1, 2, 3] * 4))


def test_a_replaced_block_is_run() -> None:
    _, backbone, batch = built("bert")
    before = backbone(batch)
    other = LIBRARY.wrap(LIBRARY.create(architecture("bert")))
    backbone.blocks[3] = other.blocks[3].eval()
    assert not torch.equal(backbone(batch), before)


def test_masked_states_do_not_reach_the_mean() -> None:
    states = torch.tensor([[[1.0], [3.0], [float("inf")]]])
    assert MaskedMean()(Masked(states, torch.tensor([[True, True, False]]))).tolist() == [[2.0]]
    assert MaskedMean()(Masked(states, torch.tensor([[False, False, False]]))).tolist() == [[0.0]]


def test_the_mean_of_many_rough_states_is_right() -> None:
    states = torch.ones(1, 515, 2, dtype=torch.bfloat16)
    mean = MaskedMean()(Masked(states, torch.ones(1, 515, dtype=torch.bool)))
    assert mean.dtype == torch.float32
    assert mean.tolist() == [[1.0, 1.0]]
