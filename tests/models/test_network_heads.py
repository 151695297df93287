import pytest
import torch
from torch import nn

from graft.models.network import build_head
from graft.spec.components.head import LinearHead, MlpHead


@pytest.mark.parametrize(
    ("head", "linear_layers", "dropouts"),
    [
        (LinearHead(), 1, 1),
        (LinearHead(dropout=0.5), 1, 1),
        (MlpHead(width=7), 2, 1),
        (MlpHead(width=7, depth=3, dropout=0.2), 4, 3),
    ],
)
def test_head_gives_logits_and_has_the_layers_it_says(head, linear_layers, dropouts):
    built = build_head(head, in_features=5, num_outputs=3)
    assert built(torch.zeros(4, 5)).shape == (4, 3)
    assert sum(isinstance(layer, nn.Linear) for layer in built) == linear_layers
    rates = [layer.p for layer in built if isinstance(layer, nn.Dropout)]
    assert rates == [head.dropout] * dropouts


def test_first_layer_of_an_mlp_sees_undropped_features():
    assert isinstance(build_head(MlpHead(dropout=0.9), 5, 3)[0], nn.Linear)


def test_weights_move_between_heads_that_differ_in_dropout():
    plain, dropping = build_head(MlpHead(depth=2), 5, 3), build_head(MlpHead(depth=2, dropout=0.3), 5, 3)
    dropping.load_state_dict(plain.state_dict())
    x = torch.randn(2, 5)
    assert torch.equal(plain.eval()(x), dropping.eval()(x))


def test_seed_decides_the_weights():
    def weights(seed):
        torch.manual_seed(seed)
        return build_head(LinearHead(), 5, 3)[1].weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
