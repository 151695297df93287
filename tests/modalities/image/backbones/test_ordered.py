"""Networks of many families, made tiny, taken apart into blocks: what is a chain is proven, what is none is refused."""

import copy

import pytest
import timm
import torch
from torch import nn

from graft.modalities.image.backbones.ordered import Parts, parts_of

SWIN = {"img_size": 32, "window_size": 4, "embed_dim": 12, "depths": (2, 2), "num_heads": (1, 2)}
TINY = {
    "swin_tiny_patch4_window7_224": SWIN,
    "swinv2_tiny_window8_256": SWIN,
    "maxvit_rmlp_pico_rw_256": {"img_size": 64},
    "convnext_atto": {"depths": (1, 1, 2, 1), "dims": (4, 8, 8, 16)},
    "regnetx_002": {},
    "mobilenetv4_conv_small_035": {},
    "pvt_v2_b0": {},
}
SIDE = {"swin_tiny_patch4_window7_224": 32, "swinv2_tiny_window8_256": 32}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, num_classes=0, **TINY[name]).eval()
    return network


def images(name: str) -> torch.Tensor:
    return torch.rand(2, 3, *(2 * [SIDE.get(name, 64)]), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", TINY)
def test_a_chain_is_the_network_at_every_cut(name: str) -> None:
    network, given = made(name), images(name)
    parts = parts_of(network, given)
    assert parts is not None
    backbone = parts.backbone(copy.deepcopy(network), "pixels").eval()
    with torch.inference_mode():
        expected = network(given)
        assert expected.shape == (2, parts.num_features)
        for cut in range(len(backbone.blocks) + 1):
            assert torch.equal(backbone.above(backbone.below({"pixels": given}, cut), cut), expected), cut
    assert all(any(True for _ in block.parameters()) for block in backbone.blocks)
    assert not list(backbone.pool.parameters())
    assert sum(one.numel() for one in backbone.parameters()) == sum(one.numel() for one in network.parameters())


def test_blocks_are_single_blocks_and_what_halves_the_map_belongs_to_the_next() -> None:
    parts = parts_of(made("convnext_atto"), images("convnext_atto"))
    assert parts is not None
    assert parts.stem == ("stem.0", "stem.1", "stages.0.downsample")
    assert parts.blocks[0] == ("stages.0.blocks.0",)
    assert parts.blocks[1] == ("stages.1.downsample.0", "stages.1.downsample.1", "stages.1.blocks.0")
    assert parts.blocks[-1] == ("norm_pre", "head")


def test_stages_without_a_list_are_opened_where_their_children_are_a_chain() -> None:
    parts = parts_of(made("regnetx_002"), images("regnetx_002"))
    assert parts is not None
    assert [names for names in parts.blocks if names[0].startswith("s4.")] == [
        (f"s4.b{place}",) for place in range(1, 8)
    ]


class Branching(nn.Module):
    """Two blocks that both see the input."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in range(2)))
        self.num_features = 3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.blocks[1](self.blocks[0](x)) + self.blocks[0](x)).mean(dim=(2, 3))


class Swapped(Branching):
    """Registered in another order than they run in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks[0](self.blocks[1](x)).mean(dim=(2, 3))


class Beside(Branching):
    """With a parameter that no module holds."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x) * self.scale


@pytest.mark.parametrize("kind", [Branching, Swapped, Beside])
def test_what_is_no_chain_is_refused(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    assert parts_of(kind(), torch.rand(2, 3, 8, 8)) is None


def test_parts_are_plain_names() -> None:
    parts = parts_of(made("pvt_v2_b0"), images("pvt_v2_b0"))
    assert parts is not None
    assert parts.by_head, "its pooling is written in its forward"
    assert parts == Parts(parts.stem, parts.blocks, parts.pool, 256, by_head=True)


@pytest.mark.parametrize(
    ("name", "pools_itself", "width_last"),
    [("convnext_atto", True, False), ("swin_tiny_patch4_window7_224", False, True), ("regnetx_002", False, False)],
)
def test_what_pools_where_fewer_blocks_are_kept(name: str, pools_itself: bool, width_last: bool) -> None:
    parts = parts_of(made(name), images(name))
    assert parts is not None
    assert (parts.pools_itself, parts.width_last) == (pools_itself, width_last)
    backbone = parts.backbone(made(name), "pixels")
    assert (backbone.pool_between is not None, backbone.width_last) == (pools_itself, width_last)
