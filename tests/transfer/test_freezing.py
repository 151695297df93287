import pytest
import torch

from graft.core.errors import ArtifactError
from graft.data.batch import FEATURES, Batch
from graft.transfer.freezing import AdaptedModel


def snapshot(model):
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


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
    backbone = model.network.backbone
    frozen = [*backbone.stem.modules(), *backbone.blocks[0].modules(), *backbone.blocks[1].modules()]
    assert not any(module.training for module in frozen)
    assert backbone.blocks[2].training
    assert model.network.head.training


def test_a_linear_probe_gives_the_same_features_in_training_and_in_eval(make_classifier):
    model = AdaptedModel(make_classifier(), 4)
    images = torch.randn(4, 3, 8, 8)
    trained = model.train().network.backbone(images)
    assert torch.equal(trained, model.eval().network.backbone(images))


def test_no_graph_is_recorded_below_the_cut(make_classifier):
    model = AdaptedModel(make_classifier(), 2).train()
    seen = {}
    for index, block in enumerate(model.network.backbone.blocks):
        block.register_forward_hook(lambda _m, _i, out, index=index: seen.update({index: out.requires_grad}))
    model(torch.randn(4, 3, 8, 8))
    assert seen == {0: False, 1: False, 2: True, 3: True}


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_features_of_the_frozen_blocks_give_what_the_images_give(make_classifier, cut):
    model = AdaptedModel(make_classifier(), cut).eval()
    images = torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        features = model.network.backbone.below(images, cut)
        assert torch.equal(model(Batch({FEATURES: features})), model(images))


@pytest.mark.parametrize("cut", [-1, 5])
def test_a_cut_outside_the_blocks_is_refused(make_classifier, cut):
    with pytest.raises(ValueError, match=f"cut is {cut}, but must be between 0 and the 4 blocks"):
        AdaptedModel(make_classifier(), cut)


def test_adapting_again_with_a_lower_cut_thaws(make_classifier):
    network = make_classifier()
    AdaptedModel(network, 4)
    AdaptedModel(network, 0)
    assert all(parameter.requires_grad for parameter in network.parameters())


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


def trained_state(network, cut):
    model = AdaptedModel(network, cut)
    train_a_little(model)
    return {name: tensor.clone() for name, tensor in model.changing_state().items()}, snapshot(model)


@pytest.mark.parametrize("here", [0, 1, 3, 4])
@pytest.mark.parametrize("there", [0, 1, 3, 4])
def test_a_state_of_another_cut_gives_the_same_network(make_classifier, here, there):
    state, expected = trained_state(make_classifier(), there)
    model = AdaptedModel(make_classifier(), here)
    model.load_changing_state(state)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in snapshot(model).items())
    assert (model.cut, model.lowest_cut) == (here, min(here, there))


@pytest.mark.parametrize("cuts", [(4, 0, 3), (0, 4, 4), (2, 3, 1), (4, 4, 2)])
def test_what_was_ever_changed_along_a_lineage_is_in_its_state(make_classifier, cuts):
    """Whoever builds the pretrained network and loads the last state has the last network, bit for bit."""
    state = {}
    for cut in cuts:
        model = AdaptedModel(make_classifier(), cut)
        if state:
            model.load_changing_state(state)
        train_a_little(model)
        state = {name: tensor.clone() for name, tensor in model.changing_state().items()}
    rebuilt = AdaptedModel(make_classifier(), cuts[-1])
    rebuilt.load_changing_state(state)
    expected = snapshot(model)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in snapshot(rebuilt).items())
    assert rebuilt.lowest_cut == min(cuts)


def test_a_loaded_state_below_the_cut_stays_frozen(make_classifier):
    state, expected = trained_state(make_classifier(), 0)
    model = AdaptedModel(make_classifier(), 2)
    model.load_changing_state(state)
    train_a_little(model)
    frozen = ("backbone.stem.", "backbone.blocks.0.", "backbone.blocks.1.")
    kept = {name: tensor for name, tensor in model.changing_state().items() if name.startswith(frozen)}
    assert kept
    assert all(torch.equal(tensor, expected[name]) for name, tensor in kept.items())


def test_block_ten_is_not_taken_for_block_one(make_classifier):
    state, _ = trained_state(make_classifier(num_blocks=12), 10)
    model = AdaptedModel(make_classifier(num_blocks=12), 12)
    model.load_changing_state(state)
    assert model.lowest_cut == 10


def test_a_state_of_fewer_weights_leaves_the_others_as_they_were(make_classifier):
    """Whoever trained it did not train those: they are pretrained there as they are here."""
    state, expected = trained_state(make_classifier(), 1)
    gap = {name: tensor for name, tensor in state.items() if name.startswith("backbone.blocks.2.")}
    model = AdaptedModel(make_classifier(), 4)
    model.load_changing_state({name: tensor for name, tensor in state.items() if name not in gap})
    start = snapshot(AdaptedModel(make_classifier(), 0))
    for name, tensor in snapshot(model).items():
        assert torch.equal(tensor, start[name] if name in gap else expected[name])
    assert model.lowest_cut == 1


def test_a_state_of_another_network_is_refused(make_classifier):
    state, _ = trained_state(make_classifier(num_blocks=5), 1)
    with pytest.raises(ArtifactError, match=r"tensors that do not fit \(`backbone.blocks.4.0.weight`"):
        AdaptedModel(make_classifier(), 4).load_changing_state(state)


def test_what_is_held_rests_until_it_is_let_go(make_classifier):
    model = AdaptedModel(make_classifier(), 1)
    whole = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    model.train()
    model.hold(3)
    before = snapshot(model)
    train_a_little(model)
    changed = {name for name, tensor in snapshot(model).items() if not torch.equal(tensor, before[name])}
    assert {name.split(".")[2] for name in changed if name.startswith("backbone")} == {"3"}
    assert not any(module.training for module in model.network.backbone.blocks[2].modules())
    assert set(model.changing_state()) == set(AdaptedModel(make_classifier(), 1).changing_state())
    model.hold(0)
    assert model.held == 1
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == whole
    assert all(module.training for module in model.network.backbone.blocks[2].modules())
