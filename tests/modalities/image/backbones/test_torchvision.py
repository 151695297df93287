import pytest
import torch
from torchvision import models

from graft.core.storage import file_digest
from graft.modalities.image.backbones.torchvision import TorchvisionLibrary


@pytest.mark.parametrize(
    ("architecture", "num_features", "interpolation", "native"),
    [
        ("resnet18", 512, "bilinear", 224),
        ("resnet50", 2048, "bilinear", 224),
        ("efficientnet_b0", 1280, "bicubic", 224),
    ],
)
def test_describe(architecture, num_features, interpolation, native):
    info = TorchvisionLibrary().describe(architecture)
    assert (info.num_features, info.input.interpolation, info.input.native_resolution) == (
        num_features,
        interpolation,
        native,
    )
    assert info.input.mean == (0.485, 0.456, 0.406)


def test_blocks_of_a_staged_network_are_single_blocks_and_the_neck():
    info = TorchvisionLibrary().describe("efficientnet_b0")
    assert info.num_blocks == 16 + 1


def test_what_was_fetched_is_read(tmp_path, monkeypatch):
    library, network = TorchvisionLibrary(), models.mobilenet_v3_small(weights=None)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    source = tmp_path / f"mobilenet_v3_small-{file_digest(tmp_path / 'w.pth')[:8]}.pth"
    (tmp_path / "w.pth").rename(source)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    url = property(lambda self: source.as_uri())
    monkeypatch.setattr(type(models.MobileNet_V3_Small_Weights.DEFAULT), "url", url)
    assert library.files("mobilenet_v3_small") == ()
    library.fetch("mobilenet_v3_small")
    (file,) = library.files("mobilenet_v3_small")
    assert (file.path.parent, file.stated, file.problem()) == (tmp_path / "hub/checkpoints", source.stem[-8:], None)
    state = library.read("mobilenet_v3_small")
    assert torch.equal(state["features.0.0.weight"], network.state_dict()["features.0.0.weight"])
