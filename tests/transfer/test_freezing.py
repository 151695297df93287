import pytest
import torch

from graft.core.errors import ArtifactError
from graft.transfer.freezing import AdaptedModel


def snapshot(model):
    return {name: tensor.clone() for name, tensor in model.classifier.state_dict().items()}


def train_a_little(model, steps=3):
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9, weight_decay=0.1
    )
    model.train()
    for step in range(steps):
        images = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_nothing_below_the_cut_changes_by_a_bit(make_classifier, cut):
    model = AdaptedModel(make_classifier(), cut)
    before = snapshot(model)
    train_a_little(model)
    frozen = ("backbone.stem.", *(f"backbone.blocks.{index}." for index in range(cut)))
    changed = {name for name, tensor in snapshot(model).items() if not torch.equal(tensor, before[name])}
    assert not [name for name in changed if name.startswith(frozen)]
    assert changed == set(model.changing_state())


def test_cut_zero_freezes_nothing_not_even_the_stem(make_classifier):
    model = AdaptedModel(make_classifier(), 0)
    before = snapshot(model)
    train_a_little(model)
    assert all(not torch.equal(tensor, before[name]) for name, tensor in snapshot(model).items())


def test_frozen_part_stays_in_eval_mode_through_train(make_classifier):
    model = AdaptedModel(make_classifier(), 2)
    model.eval()
    model.train()
    backbone = model.classifier.backbone
    frozen = [*backbone.stem.modules(), *backbone.blocks[0].modules(), *backbone.blocks[1].modules()]
    assert not any(module.training for module in frozen)
    assert backbone.blocks[2].training
    assert model.classifier.head.training


def test_a_linear_probe_gives_the_same_features_in_training_and_in_eval(make_classifier):
    model = AdaptedModel(make_classifier(), 4)
    images = torch.randn(4, 3, 8, 8)
    trained = model.train().classifier.backbone(images)
    assert torch.equal(trained, model.eval().classifier.backbone(images))


def test_no_graph_is_recorded_below_the_cut(make_classifier):
    model = AdaptedModel(make_classifier(), 2).train()
    seen = {}
    for index, block in enumerate(model.classifier.backbone.blocks):
        block.register_forward_hook(lambda _m, _i, out, index=index: seen.update({index: out.requires_grad}))
    model(torch.randn(4, 3, 8, 8))
    assert seen == {0: False, 1: False, 2: True, 3: True}


@pytest.mark.parametrize("cut", [-1, 5])
def test_a_cut_outside_the_blocks_is_refused(make_classifier, cut):
    with pytest.raises(ValueError, match=f"cut is {cut}, but must be between 0 and the 4 blocks"):
        AdaptedModel(make_classifier(), cut)


def test_adapting_again_with_a_lower_cut_thaws(make_classifier):
    classifier = make_classifier()
    AdaptedModel(classifier, 4)
    AdaptedModel(classifier, 0)
    assert all(parameter.requires_grad for parameter in classifier.parameters())


def test_changing_state_round_trips_bit_for_bit(make_classifier):
    model = AdaptedModel(make_classifier(), 2)
    kept = {name: tensor.clone() for name, tensor in model.changing_state().items()}
    train_a_little(model)
    model.load_changing_state(kept)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.changing_state().items())


def test_a_foreign_state_is_refused_and_nothing_is_copied(make_classifier):
    model = AdaptedModel(make_classifier(), 2)
    before = snapshot(model)
    state = {name: tensor + 1 for name, tensor in model.changing_state().items()}
    state.pop("head.1.bias")
    state["head.1.weight"] = torch.zeros(5, 4)
    with pytest.raises(ArtifactError, match=r"has 2 tensors that do not fit \(`head.1.bias`, `head.1.weight`\)"):
        model.load_changing_state(state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in snapshot(model).items())
