import pytest
import timm
import torch
from safetensors.torch import save_file

from graft.core.errors import SpecError
from graft.modalities.image.backbones import timm as adapter_module
from graft.modalities.image.backbones.timm import TimmLibrary
from graft.models.libraries import build_backbone
from graft.models.weights.digest import WeightFile


def test_vision_transformer_takes_another_resolution_and_keeps_its_weights():
    library = TimmLibrary()
    network = library.create("test_vit")
    before = network.pos_embed.detach().clone()
    backbone = library.wrap(network, size=64).eval()
    with torch.inference_mode():
        assert backbone(torch.randn(2, 3, 64, 64)).shape == (2, backbone.num_features)
    assert backbone.stem.embed.pos_embed.shape[1] == 1 + (64 // 16) ** 2
    assert before.shape[1] == 1 + (160 // 16) ** 2
    assert torch.equal(backbone.stem.embed.pos_embed[:, 0], before[:, 0])


def test_position_embedding_belongs_to_the_stem_and_norm_to_the_last_block():
    backbone = build_backbone("timm/test_vit")
    assert any("pos_embed" in name for name, _ in backbone.stem.named_parameters())
    assert {name for name, _ in backbone.blocks[-1].named_parameters()} == {"norm.weight", "norm.bias"}
    assert not [name for name, _ in backbone.stem.named_parameters() if "blocks" in name or "norm" in name]


def test_vision_transformer_refuses_a_resolution_its_patches_do_not_tile():
    with pytest.raises(
        SpecError, match=r"resolution is 100, which timm:test_vit cannot take \(must be a multiple of 16"
    ):
        build_backbone("timm/test_vit", size=100)


def test_describe_takes_no_memory_for_weights(monkeypatch):
    created = []
    original = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *a, **k: created.append(original(*a, **k)) or created[-1])
    adapter_module._described.cache_clear()
    info = TimmLibrary().describe("test_efficientnet.r160_in1k")
    assert info.name == "timm:test_efficientnet.r160_in1k"
    assert info.architecture == "timm/test_efficientnet.r160_in1k"
    assert info.input.native_resolution == 160
    assert created
    assert all(parameter.is_meta for network in created for parameter in network.parameters())


def test_what_was_fetched_is_read(tmp_path, monkeypatch):
    network = timm.create_model("test_resnet.r160_in1k")
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    file = WeightFile(tmp_path / "model.safetensors")
    monkeypatch.setattr(adapter_module, "kept", lambda repository, names, revision: file)
    state = TimmLibrary().read("test_resnet.r160_in1k")
    assert state.keys() == TimmLibrary().create("test_resnet").state_dict().keys()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in state.items())
