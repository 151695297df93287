import pytest
import torch
from torch import nn

from graft.data.batch import Batch
from graft.models.backbone import Backbone, Masked, packed, unpacked


class _Note(nn.Module):
    def __init__(self, letter, log):
        super().__init__()
        self.letter, self.log = letter, log

    def forward(self, x):
        self.log.append(self.letter)
        return x


def _noting(log, field=None):
    return Backbone(_Note("s", log), [_Note("a", log), _Note("b", log)], _Note("p", log), num_features=3, field=field)


def test_forward_runs_stem_blocks_in_order_and_pool():
    log = []
    _noting(log)(torch.zeros(1))
    assert log == ["s", "a", "b", "p"]


def test_state_dict_names_say_which_block_a_weight_belongs_to():
    backbone = Backbone(nn.Linear(2, 2), [nn.Linear(2, 2), nn.Linear(2, 2)], nn.Identity(), num_features=2)
    assert {name.rsplit(".", 1)[0] for name in backbone.state_dict()} == {"stem", "blocks.0", "blocks.1"}


@pytest.mark.parametrize(
    ("cut", "below", "above"), [(0, ["s"], ["a", "b", "p"]), (1, ["s", "a"], ["b", "p"]), (2, ["s", "a", "b", "p"], [])]
)
def test_a_cut_divides_the_forward_pass_and_the_pool_follows_the_last_block(cut, below, above):
    log = []
    backbone = _noting(log)
    hidden = backbone.below(torch.zeros(1), cut)
    assert log == below
    log.clear()
    backbone.above(hidden, cut)
    assert log == above


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_going_on_from_a_cut_gives_the_features(cut):
    torch.manual_seed(0)
    backbone = Backbone(nn.Linear(2, 3), [nn.Linear(3, 3), nn.Linear(3, 3)], nn.Tanh(), num_features=3).eval()
    given = torch.randn(4, 2)
    assert torch.equal(backbone.above(backbone.below(given, cut), cut), backbone(given))


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 2), (1, 1), (1, 2), (2, 2)])
def test_a_cut_is_reached_from_a_lower_one(start, stop):
    torch.manual_seed(0)
    backbone = Backbone(nn.Linear(2, 3), [nn.Linear(3, 3), nn.Linear(3, 3)], nn.Tanh(), num_features=3).eval()
    given = torch.randn(4, 2)
    lower = backbone.through(backbone.begin(given), list(backbone.blocks[:start]))
    assert torch.equal(backbone.between(lower, start, stop), backbone.below(given, stop))


def test_a_stem_takes_its_tensor_of_a_batch_or_the_whole_batch():
    one = Batch({"pixels": torch.ones(2, 3), "other": torch.zeros(2, 3)})
    assert torch.equal(_noting([], field="pixels").begin(one), one["pixels"])
    assert torch.equal(_noting([], field="pixels").begin(one["pixels"]), one["pixels"])
    assert _noting([]).begin(one) is one


def _masked(*lengths, width=3, positions=None):
    """Random states of so many positions, garbage behind them."""
    positions = positions or max(lengths)
    states = torch.randn(len(lengths), positions, width, generator=torch.Generator().manual_seed(0))
    return Masked(states, torch.arange(positions)[None] < torch.tensor(lengths)[:, None])


def test_maps_and_features_are_packed_as_they_are():
    features = torch.randn(2, 5)
    assert packed(features) is features
    assert packed(features, 9) is features
    assert unpacked(features, is_sequence=False) is features


@pytest.mark.parametrize("length", [None, 4, 9])
def test_sequences_come_back_with_their_mask(length):
    hidden = _masked(4, 1, 3)
    stored = packed(hidden, length)
    assert stored.shape == (3, length or 4, 4)
    again = unpacked(stored, is_sequence=True)
    assert isinstance(again, Masked)
    assert torch.equal(again.states, hidden.states)
    assert torch.equal(again.mask, hidden.mask)
    assert again.mask.dtype == torch.bool
    assert again.states.is_contiguous()


def test_positions_that_no_row_of_the_batch_uses_are_left_out():
    stored = packed(_masked(7, 2, 3), 16)
    again = unpacked(stored[1:], is_sequence=True)
    assert again.states.shape == (2, 3, 3)
    assert again.mask.tolist() == [[True, True, False], [True, True, True]]
    assert torch.equal(again.states, stored[1:, :3, :3])


def test_a_mask_with_a_gap_or_at_the_end_is_kept():
    mask = torch.tensor([[False, True, False, True], [True, False, False, False]])
    hidden = Masked(torch.randn(2, 4, 3), mask)
    again = unpacked(packed(hidden, 6), is_sequence=True)
    assert torch.equal(again.mask, mask)


def test_what_is_longer_than_the_length_is_not_cut():
    assert packed(_masked(5, 2), 3).shape == (2, 5, 4)


def test_a_mask_survives_half_precision():
    hidden = _masked(4, 2)
    stored = packed(Masked(hidden.states.bfloat16(), hidden.mask), 6)
    assert stored.dtype == torch.bfloat16
    assert torch.equal(unpacked(stored.float(), is_sequence=True).mask, hidden.mask)


def test_gradients_go_through_the_packing():
    hidden = _masked(3, 2)
    states = hidden.states.requires_grad_()
    unpacked(packed(Masked(states, hidden.mask), 5), is_sequence=True).states.sum().backward()
    assert torch.equal(states.grad, torch.ones_like(states))


def test_an_empty_row_among_others_has_no_positions():
    again = unpacked(packed(_masked(0, 2, positions=4)), is_sequence=True)
    assert again.mask.tolist() == [[False, False], [True, True]]
    assert unpacked(packed(_masked(0, 0, positions=4)), is_sequence=True).mask.tolist() == [[False], [False]]
