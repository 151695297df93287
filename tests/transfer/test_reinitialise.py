import torch
from torch import nn

from graft.transfer.reinitialise import reinitialise


def equal(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_seed_fixes_the_weights(make_classifier):
    first, second, third = make_classifier(seed=1), make_classifier(seed=2), make_classifier(seed=2)
    reinitialise([first.head], 5, "head")
    reinitialise([second.head], 5, "head")
    reinitialise([third.head], 6, "head")
    assert equal(first.head, second.head)
    assert not equal(second.head, third.head)


def test_purposes_do_not_share_a_stream():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    reinitialise([first], 0, "head")
    reinitialise([second], 0, "blocks")
    assert not torch.equal(first.weight, second.weight)


def test_global_random_state_is_left_as_it_was(make_classifier):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    reinitialise([make_classifier()], 0, "all")
    assert torch.equal(torch.rand(4), expected)


def test_only_the_given_modules_change(make_classifier):
    network, untouched = make_classifier(), make_classifier()
    reinitialise([network.backbone.blocks[3]], 0, "blocks")
    assert equal(network.backbone.blocks[2], untouched.backbone.blocks[2])
    assert not equal(network.backbone.blocks[3], untouched.backbone.blocks[3])


def test_batch_norm_statistics_start_anew():
    norm = nn.BatchNorm2d(2)
    norm.running_mean.fill_(3.0)
    norm.weight.data.fill_(9.0)
    reinitialise([norm], 0, "blocks")
    assert norm.running_mean.tolist() == [0, 0]
    assert norm.weight.tolist() == [1, 1]


def test_modules_without_reset_parameters_are_drawn_too():
    attention = nn.MultiheadAttention(8, 2)
    attention.in_proj_weight.data.fill_(7.0)
    attention.in_proj_bias.data.fill_(7.0)
    reinitialise([attention], 0, "blocks")
    assert 0 < attention.in_proj_weight.abs().max() <= 0.04
    assert attention.in_proj_bias.abs().max() == 0
