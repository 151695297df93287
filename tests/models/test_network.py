import torch

from graft.models.libraries import build_backbone
from graft.models.network import Network, build_head
from graft.spec.strategy import LinearHead


def test_classifier_is_the_head_on_the_backbone():
    backbone = build_backbone("timm/test_efficientnet")
    network = Network(backbone, build_head(LinearHead(), backbone.num_features, 3)).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network(images), network.head(backbone(images)))
        assert network(images).shape == (2, 3)
    assert {name.split(".")[0] for name in network.state_dict()} == {"backbone", "head"}
