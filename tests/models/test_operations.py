import torch
from torch import nn

from graft.models.backbone import Backbone
from graft.models.operations import Cost, cost_of


def test_every_part_counts_its_parameters_and_products():
    blocks = [nn.Conv2d(4, 8, 3, padding=1), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(8, 5))]
    backbone = Backbone(nn.Conv2d(3, 4, 1, bias=False), blocks, nn.Identity(), 5).eval()
    cost = cost_of(backbone, torch.zeros(1, 3, 6, 6))
    assert cost.stem == Cost(12, 12 * 36)
    assert cost.blocks == (Cost(4 * 8 * 9 + 8, 4 * 8 * 9 * 36), Cost(45, 40))
    assert cost.below(0) == Cost(0, 0)
    assert cost.below(1) == cost.stem + cost.blocks[0]
    assert cost.above(2) == Cost(0, 0)
    for cut in range(3):
        assert cost.below(cut) + cost.above(cut) == cost.total


def test_attention_counts():
    class Attention(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    backbone = Backbone(nn.Identity(), [Attention()], nn.Identity(), 4)
    (block,) = cost_of(backbone, torch.zeros(1, 2, 10, 4)).blocks
    assert block.multiply_adds == 2 * (2 * 10 * 10 * 4)
