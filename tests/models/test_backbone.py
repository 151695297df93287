import torch
from torch import nn

from graft.models.backbone import Backbone


class _Note(nn.Module):
    def __init__(self, letter, log):
        super().__init__()
        self.letter, self.log = letter, log

    def forward(self, x):
        self.log.append(self.letter)
        return x


def test_forward_runs_stem_blocks_in_order_and_pool():
    log = []
    backbone = Backbone(_Note("s", log), [_Note("a", log), _Note("b", log)], _Note("p", log), num_features=3)
    backbone(torch.zeros(1))
    assert log == ["s", "a", "b", "p"]


def test_state_dict_names_say_which_block_a_weight_belongs_to():
    backbone = Backbone(nn.Linear(2, 2), [nn.Linear(2, 2), nn.Linear(2, 2)], nn.Identity(), num_features=2)
    assert {name.rsplit(".", 1)[0] for name in backbone.state_dict()} == {"stem", "blocks.0", "blocks.1"}
