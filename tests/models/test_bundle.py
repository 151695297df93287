import json

import pytest
import torch

from graft.core.errors import ArtifactError, ResourceError
from graft.models import bundle as bundle_module
from graft.models.bundle import BundleSpec, read_bundle, write_bundle
from graft.models.libraries import build_backbone
from graft.models.network import Network, build_head
from graft.spec.preprocessing import Preprocessing
from graft.spec.strategy import MlpHead, Strategy

PREPROCESSING = Preprocessing(stored_size=40, resolution=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
SPEC = BundleSpec(
    name="digits",
    architecture="timm/test_efficientnet",
    strategy=Strategy(head=MlpHead(width=8), freeze=0.5),
    labels=("null", "eins", "zwölf"),
    preprocessing=PREPROCESSING,
    metrics={"accuracy": 0.975},
    dataset="f" * 64,
    created="2026-11-21T12:00:00+00:00",
)


def _network(spec=SPEC):
    backbone = build_backbone(spec.architecture, spec.preprocessing.resolution)
    return Network(backbone, build_head(spec.strategy.head, backbone.num_features, len(spec.labels))).eval()


@pytest.fixture
def bundle(tmp_path):
    write_bundle(tmp_path / "bundle", _network(), SPEC)
    return tmp_path / "bundle"


def _edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("architecture", ["timm/test_efficientnet", "timm/test_vit", "torchvision/mobilenet_v3_small"])
def test_round_trip_gives_the_same_scores_and_facts(tmp_path, architecture):
    spec = SPEC.model_copy(update={"architecture": architecture})
    network = _network(spec)
    network.train()(torch.randn(4, 3, 32, 32))
    write_bundle(tmp_path / "b", network, spec)
    found = read_bundle(tmp_path / "b")
    rebuilt = found.build()
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(rebuilt(images), network.eval()(images))
    assert found.spec == spec
    assert not rebuilt.training


def test_files_are_those_of_the_format_and_none_is_a_pickle(bundle):
    names = {path.name for path in bundle.iterdir()}
    assert names == {"manifest.json", "weights.safetensors", "labels.json", "preprocessing.json"}
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["format"] == 1
    assert manifest["files"].keys() == names - {"manifest.json"}
    assert json.loads((bundle / "labels.json").read_text()) == ["null", "eins", "zwölf"]
    assert int.from_bytes((bundle / "weights.safetensors").read_bytes()[:8], "little") < 100_000


def test_tied_weights_and_other_memory_layouts_survive(tmp_path, monkeypatch):
    def tied(_):
        network = _network().to(memory_format=torch.channels_last)
        network.backbone.blocks[-1].tied = network.backbone.blocks[-1].conv_head
        return network

    network = tied(SPEC)
    write_bundle(tmp_path / "b", network, SPEC)
    monkeypatch.setattr(bundle_module, "_build", tied)
    rebuilt = read_bundle(tmp_path / "b").build()
    assert rebuilt.backbone.blocks[-1].tied is rebuilt.backbone.blocks[-1].conv_head
    written = network.state_dict()
    assert all(torch.equal(value, written[name]) for name, value in rebuilt.state_dict().items())


@pytest.mark.parametrize("name", ["weights.safetensors", "labels.json", "preprocessing.json"])
def test_a_changed_byte_is_found_and_named(bundle, name):
    content = bytearray((bundle / name).read_bytes())
    content[-2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{name} of bundle .* is damaged.*copy or export it again"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["weights.safetensors", "labels.json"])
def test_a_missing_or_cut_file_is_found_and_named(bundle, name):
    content = (bundle / name).read_bytes()
    (bundle / name).write_bytes(content[:-3])
    with pytest.raises(ArtifactError, match=f"{name} of bundle .* is damaged"):
        read_bundle(bundle)
    (bundle / name).unlink()
    with pytest.raises(ArtifactError, match=f"lacks {name}"):
        read_bundle(bundle)


def test_keys_of_a_newer_writer_are_ignored(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["strategy"]["adapter"] = {"kind": "none"}
    manifest["strategy"]["head"]["norm"] = True
    _edit(bundle / "manifest.json", calibration={"temperature": 1.2}, strategy=manifest["strategy"])
    assert read_bundle(bundle).spec == SPEC


def test_newer_format_is_refused(bundle):
    _edit(bundle / "manifest.json", format=2)
    with pytest.raises(ArtifactError, match="has format 2, but this graft reads up to 1; upgrade graft"):
        read_bundle(bundle)


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"format": "1"}', '{"format": 0}', '{"format": true}'])
def test_manifest_without_a_format(bundle, manifest):
    (bundle / "manifest.json").write_text(manifest)
    with pytest.raises(ArtifactError, match="states no bundle format"):
        read_bundle(bundle)


def test_manifest_that_is_not_json(bundle):
    (bundle / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="cannot be read as JSON"):
        read_bundle(bundle)


def test_manifest_that_lists_too_little_or_points_elsewhere(bundle):
    files = json.loads((bundle / "manifest.json").read_text())["files"]
    _edit(bundle / "manifest.json", files={"weights.safetensors": files["weights.safetensors"]})
    with pytest.raises(ArtifactError, match="does not list"):
        read_bundle(bundle)
    for name in ("../secret", "/etc/hostname", "sub/file"):
        _edit(bundle / "manifest.json", files={**files, name: files["labels.json"]})
        with pytest.raises(ArtifactError, match="has no subdirectories"):
            read_bundle(bundle)
    _edit(bundle / "manifest.json", files={**files, "labels.json": None})
    with pytest.raises(ArtifactError, match=r"labels\.json of bundle"):
        read_bundle(bundle)


def test_strategy_this_graft_does_not_know(bundle):
    _edit(bundle / "manifest.json", strategy={"head": {"kind": "prototype"}})
    with pytest.raises(ArtifactError, match=r"cannot be understood \(strategy\.head"):
        read_bundle(bundle)


def test_no_bundle(tmp_path):
    for directory in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ArtifactError, match=r"is no bundle: it has no manifest\.json"):
            read_bundle(directory)


def test_weights_of_another_network(tmp_path):
    write_bundle(tmp_path / "b", _network(), SPEC.model_copy(update={"architecture": "timm/test_resnet"}))
    with pytest.raises(ArtifactError, match="does not fit timm/test_resnet") as caught:
        read_bundle(tmp_path / "b").build()
    assert "\n" not in str(caught.value)


def test_architecture_unknown_here(tmp_path):
    write_bundle(tmp_path / "b", _network(), SPEC.model_copy(update={"architecture": "timm/no_such_network"}))
    with pytest.raises(ArtifactError, match="cannot be built: timm has no architecture"):
        read_bundle(tmp_path / "b").build()


def test_an_existing_directory_is_left_alone(bundle):
    before = (bundle / "weights.safetensors").read_bytes()
    with pytest.raises(ArtifactError, match="exists already"):
        write_bundle(bundle, _network(), SPEC)
    assert (bundle / "weights.safetensors").read_bytes() == before


def test_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_module, "write_json", disk_full)
    with pytest.raises(ResourceError, match="no space left"):
        write_bundle(tmp_path / "b", _network(), SPEC)
    assert list(tmp_path.iterdir()) == []
