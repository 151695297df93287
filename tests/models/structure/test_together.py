"""Networks that agree from the input on: what they share runs once a batch, and all answer as they do alone."""

import copy
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from torch import nn

from graft.data.batch import Batch
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone
from graft.models.load import load_backbone
from graft.models.network import Network
from graft.models.structure.edited import edited
from graft.models.structure.together import Together, alike, in_order
from graft.spec.components.structure import Structure

SIZES = {"efficientnet_lite0": 64, "minilm_l6": 12, "timm:vit_tiny_patch16_224": 64}


@pytest.fixture(scope="module", params=SIZES)
def whole(request: pytest.FixtureRequest) -> tuple[Backbone, Batch, str]:
    name: str = request.param
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loaded = load_backbone(name, SIZES[name], pretrained=False)
        batch = build_modality(loaded.info.modality).example_batch(loaded.info, SIZES[name], 3)
        if "pixels" in batch:
            batch["pixels"] = torch.randn(3, 3, SIZES[name], SIZES[name])
    return loaded.backbone.eval(), batch, loaded.info.architecture


def network(whole: tuple[Backbone, Batch, str], **structure: object) -> Network:
    """A copy with fewer blocks, and a head of its own."""
    backbone, _, architecture = whole
    left = edited(copy.deepcopy(backbone), Structure.model_validate(structure), architecture)
    return Network(left, nn.Linear(left.num_features, 4)).eval()


def runs(networks: Sequence[Network], batch: Batch) -> Counter[tuple[str, int]]:
    """How often stems, and blocks by their place, run for one batch; what is answered is what each says alone."""
    alone = [copy.deepcopy(one) for one in networks]
    together, counted = Together(enumerate(networks)), Counter[tuple[str, int]]()
    for one in {id(part.module): part for network in networks for part in network.parts()}.values():
        one.module.register_forward_hook(lambda *_, key=(one.role, one.depth): counted.update([key]))
    with torch.inference_mode():
        found = together(batch)
        for place, one in enumerate(alone):
            torch.testing.assert_close(found[:, place], one(batch), rtol=0, atol=0)
    return counted


def test_one_backbone_under_several_heads_runs_once(whole: tuple[Backbone, Batch, str]) -> None:
    counted = runs([network(whole) for _ in range(3)], whole[1])
    heads = [count for (role, _), count in counted.items() if role == "head"]
    assert heads == [3]
    assert {count for (role, _), count in counted.items() if role != "head"} == {1}


def test_a_value_apart_runs_apart_from_there_on(whole: tuple[Backbone, Batch, str]) -> None:
    networks = [network(whole) for _ in range(2)]
    tensors = list(networks[1].backbone.blocks[1].parameters())
    with torch.no_grad():
        tensors[-1].view(-1)[0] += 1e-3
    counted = runs(networks, whole[1])
    assert [counted[key] for key in (("stem", 0), ("block", 1), ("block", 2), ("block", 3))] == [1, 1, 2, 2]


def test_another_stem_shares_nothing(whole: tuple[Backbone, Batch, str]) -> None:
    networks = [network(whole) for _ in range(2)]
    with torch.no_grad():
        next(networks[1].backbone.stem.parameters()).view(-1)[0] += 1e-3
    assert set(runs(networks, whole[1]).values()) == {2}


def test_a_buffer_apart_runs_apart() -> None:
    loaded = load_backbone("efficientnet_lite0", 64, pretrained=False)
    case = (loaded.backbone.eval(), Batch({"pixels": torch.randn(2, 3, 64, 64)}), loaded.info.architecture)
    networks = [network(case) for _ in range(2)]
    name = next(name for name, _ in networks[1].backbone.stem.named_buffers() if name.endswith("running_mean"))
    networks[1].backbone.stem.get_buffer(name).add_(0.5)
    assert runs(networks, case[1])[("stem", 0)] == 2


@pytest.mark.parametrize("order", [(1.0, 0.5, 0.3), (0.3, 1.0, 0.5)])
def test_heads_at_several_depths_read_one_pass(whole: tuple[Backbone, Batch, str], order: tuple[float, ...]) -> None:
    networks = [network(whole, keep=keep, pool="avg" if keep < 1 else "own") for keep in (*order, 1.0)]
    counted = runs(networks, whole[1])
    blocks = len(whole[0].blocks)
    assert {counted[("block", depth)] for depth in range(1, blocks + 1)} == {1} == {counted[("stem", 0)]}


def test_what_is_shared_is_held_once(whole: tuple[Backbone, Batch, str]) -> None:
    backbone = sum(tensor.numel() for tensor in whole[0].state_dict().values())
    together = Together((place, network(whole)) for place in range(3))
    held = {tensor.data_ptr(): tensor.numel() for tensor in together.state_dict().values()}
    assert backbone <= sum(held.values()) < 1.2 * backbone


def test_the_first_network_is_timed_apart() -> None:
    class Slow(nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            torch.linalg.svd(torch.rand(300, 300))
            return features[:, :2]

    loaded = load_backbone("efficientnet_lite0", 32, pretrained=False)
    networks = [Network(copy.deepcopy(loaded.backbone), head).eval() for head in (Slow(), Slow())]
    named, images = list(zip((7, 3), networks, strict=True)), torch.rand(2, 3, 32, 32)
    alone, both = Together(named[:1]), Together(named)
    with torch.inference_mode():
        one, two = alone.timed(lambda: alone(images)), both.timed(lambda: both(images))
    assert 0 < one.first_seconds <= one.seconds
    assert 0 < two.first_seconds < two.seconds
    assert list(two.outputs) == [7, 3]
    assert [outputs is two.outputs[name] for outputs, name in zip(in_order([two]), (3, 7), strict=True)] == [True, True]


def test_places_of_equal_keys_stand_where_the_first_does() -> None:
    assert alike([{"a": 1}, {"a": 2}, {"a": 1}]) == [[0, 2], [1]]
