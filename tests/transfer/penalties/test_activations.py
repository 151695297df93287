import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import nn

from graft.core.errors import ArtifactError
from graft.models.backbone import Backbone, Masked
from graft.models.load import load_backbone
from graft.models.network import Network
from graft.models.weights.source_head import source_head, source_head_problem
from graft.spec.components.activation_penalty import BatchSpectralShrinkage, Delta, SupervisedContrast
from graft.spec.components.penalty import L2SP
from graft.spec.tasks.classification import CoTuning
from graft.transfer.freezing import AdaptedModel
from graft.transfer.penalties.activations import Activations, Examples, build_activation_penalty, watching
from graft.transfer.penalties.channel_attention import by_channel
from graft.transfer.penalties.delta import _spread


def examples(inputs, targets, head=None):
    return Examples(lambda: [(inputs, np.asarray(targets))], lambda: head)


def linear_model(width=6, blocks=3, cut=0):
    torch.manual_seed(0)
    layers = [nn.Linear(width, width) for _ in range(blocks + 1)]
    return AdaptedModel(Network(Backbone(layers[0], layers[1:], nn.Identity(), width), nn.Linear(width, 2)), cut)


def test_a_pass_is_watched_and_nothing_stays_behind(make_classifier):
    network = make_classifier()
    images = torch.randn(2, 3, 8, 8)
    with watching(network, (1, 3)) as seen:
        outputs = network(images)
    assert seen.blocks.keys() == {1, 3}
    assert seen.blocks[3].shape == (2, 4, 8, 8)
    torch.testing.assert_close(seen.blocks[3].mean(dim=(2, 3)), seen.pooled)
    assert outputs.shape == (2, 3)
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in network.modules())


def test_a_pass_that_never_came_is_told():
    with pytest.raises(RuntimeError, match="forward pass must have come before"):
        Activations().pooled  # noqa: B018


def test_texts_keep_their_masks():
    class Pool(nn.Module):
        def forward(self, hidden):
            return hidden.states.mean(dim=1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, hidden):
            return Masked(self.layer(hidden.states), hidden.mask)

    mask = torch.tensor([[True, True, False], [True, False, False]])

    class Stem(nn.Module):
        def forward(self, states):
            return Masked(states, mask)

    network = Network(Backbone(Stem(), [Block()], Pool(), 4), nn.Linear(4, 2))
    model = AdaptedModel(network, 0)
    penalty = build_activation_penalty(Delta(strength=2.0, attention=False), model, 0)
    with torch.no_grad():
        network.backbone.blocks[0].layer.bias += torch.tensor([1.0, 0.0, 0.0, 2.0])
    with watching(network, penalty.blocks) as seen:
        network(torch.randn(2, 3, 4))
    assert torch.equal(seen.mask, mask)
    # 2/2 · (1² + 2²) at every position that counts, whatever stands at the others
    seen.blocks[0] = torch.where(mask[..., None], seen.blocks[0], torch.tensor(1e3))
    inputs = torch.randn(2, 3, 4)
    with watching(network, penalty.blocks) as seen:
        network(inputs)
    seen.blocks[0] = torch.where(mask[..., None], seen.blocks[0], torch.tensor(1e3))
    assert penalty.term(inputs, torch.zeros(2), seen).item() == pytest.approx(5.0, rel=1e-4)


class TestDelta:
    def test_blocks_are_spread_and_the_last_is_among_them(self):
        assert _spread(range(4, 16), 4) == [6, 9, 12, 15]
        assert _spread(range(2), 9) == [0, 1]
        assert _spread(range(5), 1) == [4]
        assert _spread(range(0), 3) == []

    def test_it_is_zero_where_the_network_started(self):
        model = linear_model()
        penalty = build_activation_penalty(Delta(attention=False), model, 0)
        inputs = torch.randn(4, 6)
        with watching(model.network, penalty.blocks) as seen:
            model(inputs)
        assert penalty.term(inputs, torch.zeros(4), seen).item() == 0

    def test_what_is_frozen_is_held_once(self):
        model = linear_model(cut=2)
        penalty = build_activation_penalty(Delta(), model, 0)
        assert penalty.blocks == [2]
        ours, theirs = model.network.backbone, penalty._source.network.backbone
        assert theirs.stem is ours.stem
        assert theirs.blocks[1] is ours.blocks[1]
        assert theirs.blocks[2] is not ours.blocks[2]
        assert all(parameter.requires_grad for parameter in ours.blocks[2].parameters())

    def test_channels_that_tell_something_weigh_most(self):
        """A block gives six channels, of which one alone decides between two classes."""
        model = linear_model(blocks=1)
        with torch.no_grad():
            for layer in (model.network.backbone.stem, model.network.backbone.blocks[0]):
                layer.weight.copy_(torch.eye(6))
                layer.bias.zero_()
        penalty = build_activation_penalty(Delta(), model, 0)
        inputs = torch.randn(60, 6)
        penalty.fit(examples(inputs, (inputs[:, 2] > 0).long()))
        weights = penalty._weights[0]
        assert weights.argmax() == 2
        assert weights.mean().item() == pytest.approx(1)
        again = build_activation_penalty(Delta(), model, 0)
        again.fit(examples(inputs, (inputs[:, 2] > 0).long()))
        assert torch.equal(weights, again._weights[0])
        assert not any(one.requires_grad for one in penalty._source.parameters())

    @pytest.mark.parametrize(
        "targets", [np.linspace(0, 9, 20), np.zeros(20, np.int64), np.eye(20, 3, dtype=np.uint8)], ids=str
    )
    def test_every_kind_of_target_will_do(self, targets):
        model = linear_model()
        penalty = build_activation_penalty(Delta(), model, 0)
        penalty.fit(examples(torch.randn(20, 6), targets))
        assert all(torch.isfinite(weights).all() for weights in penalty._weights.values())

    def test_it_follows_a_model_that_was_moved(self):
        model = linear_model()
        penalty = build_activation_penalty(Delta(attention=False), model, 0)
        inputs = torch.randn(4, 6).double()
        model.double()
        with torch.no_grad():
            model.network.backbone.blocks[0].weight += 1.0
        penalty.follow_weights()
        with watching(model.network, penalty.blocks) as seen:
            model(inputs)
        assert penalty.term(inputs, torch.zeros(4), seen).item() > 0


@pytest.mark.parametrize("shape", [(2, 5, 4, 4), (2, 4, 4, 5), (2, 7, 5), (2, 5)])
def test_channels_are_found(shape):
    given = torch.randn(shape)
    found = by_channel(given)
    assert found.shape[0] == 2
    assert found.shape[2] == 5
    assert found.sum().item() == pytest.approx(given.sum().item(), abs=1e-4)


class TestSpectral:
    def test_values_by_hand(self):
        penalty = build_activation_penalty(BatchSpectralShrinkage(strength=0.1, smallest=2), linear_model(), 0)
        seen = Activations(features=torch.diag(torch.tensor([5.0, 3.0, 2.0])))
        assert penalty.term({}, torch.zeros(3), seen).item() == pytest.approx(0.1 * (4 + 9))

    def test_fewer_samples_than_values_and_infinite_ones(self):
        penalty = build_activation_penalty(BatchSpectralShrinkage(smallest=9), linear_model(), 0)
        seen = Activations(features=torch.ones(2, 6))
        assert penalty.term({}, torch.zeros(2), seen).item() == pytest.approx(1e-3 * 12)
        assert penalty.term({}, torch.zeros(2), Activations(features=torch.tensor([[torch.inf, 1.0]]))).isnan()


class TestContrast:
    def test_values_by_hand(self):
        penalty = build_activation_penalty(SupervisedContrast(strength=2.0, temperature=0.5), linear_model(), 0)
        points = torch.nn.functional.normalize(torch.randn(5, 6, generator=torch.manual_seed(0)), dim=1)
        labels, terms = [0, 1, 0, 2, 0], []
        for i in range(5):
            alike = [p for p in range(5) if p != i and labels[p] == labels[i]]
            whole = sum(torch.exp(points[i] @ points[a] / 0.5) for a in range(5) if a != i)
            if alike:
                told = [torch.log(torch.exp(points[i] @ points[p] / 0.5) / whole) for p in alike]
                terms.append(-sum(told) / len(alike))
        seen = Activations(features=3 * points)
        wanted = 2 * float(sum(terms)) / 3
        assert penalty.term({}, torch.tensor(labels), seen).item() == pytest.approx(wanted, rel=1e-5)

    def test_labels_that_occur_once_teach_nothing(self):
        penalty = build_activation_penalty(SupervisedContrast(), linear_model(), 0)
        features = torch.randn(4, 6, requires_grad=True)
        term = penalty.term({}, torch.arange(4), Activations(features=features))
        term.backward()
        assert term.item() == 0
        assert features.grad.abs().sum() == 0

    def test_what_is_infinite_is_told(self):
        penalty = build_activation_penalty(SupervisedContrast(), linear_model(), 0)
        seen = Activations(features=torch.tensor([[torch.inf, 1.0], [1.0, 1.0]]))
        assert penalty.term({}, torch.zeros(2), seen).isnan()

    def test_there_is_none_where_nothing_trains(self):
        assert build_activation_penalty(SupervisedContrast(), linear_model(cut=3), 0) is None


class TestCoTuning:
    def test_the_relation_is_what_the_source_says_of_each_label(self):
        model, head = linear_model(), nn.Linear(6, 4)
        inputs, labels = torch.randn(9, 6), torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 0])
        penalty = build_activation_penalty(CoTuning(strength=2.0), model, 0)
        penalty.fit(examples(inputs, labels, head))
        said = head(model.network.backbone(inputs)).softmax(dim=1).mean(dim=0)
        torch.testing.assert_close(penalty._relation[0], said, check_dtype=False)
        torch.testing.assert_close(penalty._relation[1], said, check_dtype=False)  # a label without a sample
        with watching(model.network, ()) as seen:
            model(inputs)
        log_p = head(seen.pooled).log_softmax(dim=1)
        expected = -2 * (said * log_p).sum(dim=1).mean()
        torch.testing.assert_close(penalty.term(inputs, labels, seen), expected)
        mixed = nn.functional.one_hot(labels, 2).float()
        torch.testing.assert_close(penalty.term(inputs, mixed, seen), expected)

    def test_a_network_of_other_features_is_told(self):
        penalty = build_activation_penalty(CoTuning(), linear_model(), 0)
        with pytest.raises(ArtifactError, match="source head takes 7 features, but the network gives 6"):
            penalty.fit(examples(torch.zeros(2, 6), [0, 1], nn.Linear(7, 4)))

    def test_it_must_be_fitted(self):
        penalty = build_activation_penalty(CoTuning(), linear_model(), 0)
        with pytest.raises(RuntimeError, match="`fit` must have come before"):
            penalty.term({}, torch.zeros(1), Activations(features=torch.zeros(1, 6)))


def test_penalties_of_weights_and_frozen_networks_have_none():
    assert build_activation_penalty(L2SP(), linear_model(), 0) is None
    assert build_activation_penalty(Delta(), linear_model(cut=3), 0) is None


def test_the_head_of_efficientnet_lite_is_in_its_file_and_understands_its_features():
    head = source_head("efficientnet_lite0")
    assert head.weight.shape == (1000, 1280)
    backbone = load_backbone("efficientnet_lite0", 224).backbone
    flower = torch.tensor(load_sample_image("flower.jpg").copy()).permute(2, 0, 1)[None].float()
    flower = nn.functional.interpolate(flower, (224, 224), mode="bilinear", antialias=True)
    with torch.no_grad():
        said = head(backbone((flower - 127) / 128))
    assert said.argmax().item() == 985, "ImageNet's daisy"
    assert source_head_problem("efficientnet_lite0") is None


def test_a_file_without_a_head_is_told():
    problem = source_head_problem("minilm_l6")
    assert problem.startswith("backbone `minilm_l6` comes with no head, but this penalty needs one linear layer")
    with pytest.raises(ArtifactError, match="take another penalty"):
        source_head("minilm_l6")
    assert source_head_problem("timm:resnet18.a1_in1k") is None  # nothing is fetched to find out
