from dataclasses import replace

import pytest
import torch

from graft.modalities.registry import build_modality
from graft.spec.components.initialisation import Reinitialise
from graft.spec.strategy import Strategy
from graft.transfer.adapt import adapt


@pytest.mark.parametrize(
    ("freeze", "blocks", "cut"),
    [(0.0, 0, 0), (0.5, 0, 2), (0.74, 0, 3), (1.0, 0, 4), (1.0, 1, 3), (0.25, 2, 1), (1.0, 9, 0)],
)
def test_cut_and_reinitialised_blocks(make_classifier, freeze, blocks, cut):
    init = Reinitialise(blocks=blocks) if blocks else "pretrained"
    adapted = adapt(make_classifier(), Strategy(freeze=freeze, init=init), 0)
    assert (adapted.cut, adapted.num_blocks) == (cut, 4)
    assert adapted.model.cut == cut
    redrawn = {name.split(".")[2] for name in adapted.redrawn}
    assert redrawn == {str(index) for index in range(4 - min(blocks, 4), 4)}


def test_only_the_last_blocks_and_the_head_are_drawn_again(make_classifier):
    before = make_classifier().state_dict()
    adapted = adapt(make_classifier(), Strategy(init=Reinitialise(blocks=2)), 0)
    changed = {
        name for name, tensor in adapted.model.network.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed == {
        "backbone.blocks.2.0.weight",
        "backbone.blocks.3.0.weight",
        "head.1.weight",
        "head.1.bias",
    }


def test_backbone_strategy_and_seed_fix_the_start(make_classifier):
    strategy = Strategy(init=Reinitialise(blocks=1), freeze=0.5)
    torch.manual_seed(1)
    first = adapt(make_classifier(), strategy, 7).model.state_dict()
    torch.manual_seed(2)
    second = adapt(make_classifier(), strategy, 7).model.state_dict()
    other = adapt(make_classifier(), strategy, 8).model.state_dict()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not torch.equal(first["network.head.1.weight"], other["network.head.1.weight"])


def test_l2_sp_starts_from_zero_pull_and_counts_redrawn_blocks_as_new(make_classifier):
    penalty = {"kind": "l2_sp", "strength": 1.0, "head_strength": 0.0}
    adapted = adapt(make_classifier(), Strategy(penalty=penalty, init=Reinitialise(blocks=1)), 0)
    assert adapted.penalty.value().item() == 0
    with torch.no_grad():
        adapted.model.network.backbone.blocks[3][0].weight.add_(1.0)
    assert adapted.penalty.value().item() == 0
    with torch.no_grad():
        adapted.model.network.backbone.blocks[2][0].weight.add_(1.0)
    assert adapted.penalty.value().item() > 0


def test_trainable_params_of_a_linear_probe_are_those_of_the_head(make_classifier):
    assert adapt(make_classifier(), Strategy(freeze=1.0), 0).trainable_params == 4 * 3 + 3


def test_moving_changes_the_layout_but_no_value(make_classifier):
    adapted = adapt(make_classifier(), Strategy(penalty="l2_sp"), 0)
    before = {name: tensor.clone() for name, tensor in adapted.model.state_dict().items()}
    value = adapted.penalty.value().item()
    build_modality("image").place(adapted.model, torch.device("cpu"))
    assert adapted.follow_weights() is adapted
    kernel = adapted.model.network.backbone.stem[0].weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(tensor, before[name]) for name, tensor in adapted.model.state_dict().items())
    assert adapted.penalty.value().item() == pytest.approx(value)
    assert all(parameter.is_leaf for group in adapted.groups for parameter in group["params"])


def test_the_classifier_is_wrapped_not_copied(make_classifier):
    network = make_classifier()
    assert adapt(network, Strategy(), 0).model.network is network


def test_the_penalty_is_told_after_the_weights_were_moved(make_classifier):
    adapted = adapt(make_classifier(), Strategy(), 0)
    kernel = adapted.model.network.backbone.stem[0].weight
    seen = []

    class Penalty:
        def follow_weights(self):
            seen.append(kernel.is_contiguous(memory_format=torch.channels_last))

    build_modality("image").place(adapted.model, torch.device("cpu"))
    replace(adapted, penalty=Penalty()).follow_weights()
    assert seen == [True]
