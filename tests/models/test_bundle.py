import hashlib
import json

import pytest
import torch
from safetensors.torch import save_model

from graft.core.errors import ArtifactError, ResourceError
from graft.models import bundle as bundle_module
from graft.models.bundle import BundleSpec, read_bundle, write_bundle
from graft.models.libraries import build_backbone
from graft.models.network import Network, build_head
from graft.spec.components.head import MlpHead
from graft.spec.modalities.image import ImagePreprocessing
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.regression import Regression

PREPROCESSING = ImagePreprocessing(stored_size=40, resolution=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
SPEC = BundleSpec(
    name="digits",
    architecture="timm/test_efficientnet",
    strategy=Strategy(head=MlpHead(width=8), freeze=0.5),
    task=Classification(),
    names=("null", "eins", "zwölf"),
    facts={"num_outputs": 3, "temperature": 1.5},
    num_outputs=3,
    preprocessing=PREPROCESSING,
    metrics={"accuracy": 0.975},
    dataset="f" * 64,
    created="2026-11-21T12:00:00+00:00",
)


def _network(spec=SPEC):
    backbone = build_backbone(spec.architecture, spec.preprocessing.size)
    return Network(backbone, build_head(spec.strategy.head, backbone.num_features, spec.num_outputs)).eval()


@pytest.fixture
def bundle(tmp_path):
    write_bundle(tmp_path / "bundle", _network(), SPEC)
    return tmp_path / "bundle"


def _edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _write(path, content):
    path.write_text(json.dumps(content, ensure_ascii=False))


def _sealed(path):
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def _reseal(directory, name):
    files = json.loads((directory / "manifest.json").read_text())["files"]
    _edit(directory / "manifest.json", files={**files, name: _sealed(directory / name)})


@pytest.mark.parametrize(
    "architecture",
    [
        "timm/test_efficientnet",
        "timm/test_vit",
        "timm/test_convnext",
        "torchvision/mobilenet_v3_small",
    ],
)
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
    assert names == {"manifest.json", "weights.safetensors", "targets.json", "preprocessing.json"}
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["format"] == 2
    assert manifest["files"].keys() == names - {"manifest.json"}
    assert json.loads((bundle / "targets.json").read_text()) == {
        "task": {"kind": "classification"},
        "names": ["null", "eins", "zwölf"],
        "facts": {"num_outputs": 3, "temperature": 1.5},
        "num_outputs": 3,
    }
    assert json.loads((bundle / "preprocessing.json").read_text())["kind"] == manifest["modality"] == "image"
    assert not manifest.keys() & {"task", "names", "facts", "num_outputs", "preprocessing"}
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


@pytest.mark.parametrize("name", ["weights.safetensors", "targets.json", "preprocessing.json"])
def test_a_changed_byte_is_found_and_named(bundle, name):
    content = bytearray((bundle / name).read_bytes())
    content[-2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{name} of bundle .* is damaged.*copy or export it again"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["weights.safetensors", "targets.json"])
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
    _edit(bundle / "manifest.json", format=4)
    with pytest.raises(ArtifactError, match="has format 4, but this graft reads up to 3; upgrade graft"):
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
        _edit(bundle / "manifest.json", files={**files, name: files["targets.json"]})
        with pytest.raises(ArtifactError, match="has no subdirectories"):
            read_bundle(bundle)
    _edit(bundle / "manifest.json", files={**files, "targets.json": None})
    with pytest.raises(ArtifactError, match=r"targets\.json of bundle"):
        read_bundle(bundle)


def test_strategy_this_graft_does_not_know(bundle):
    _edit(bundle / "manifest.json", strategy={"head": {"kind": "of_tomorrow"}})
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


def test_files_of_the_modality_are_sealed_too(tmp_path):
    tokenizer = '{"words": ["zwölf"]}'.encode()
    write_bundle(tmp_path / "b", _network(), SPEC, {"tokenizer.json": tokenizer})
    copied = tmp_path / "b" / "tokenizer.json"
    assert copied.read_bytes() == tokenizer
    assert json.loads((tmp_path / "b" / "manifest.json").read_text())["files"]["tokenizer.json"] == {
        "sha256": hashlib.sha256(tokenizer).hexdigest(),
        "bytes": len(tokenizer),
    }
    assert read_bundle(tmp_path / "b").spec == SPEC
    copied.write_bytes(copied.read_bytes().replace(b"words", b"worte"))
    with pytest.raises(ArtifactError, match=r"tokenizer\.json of bundle .* is damaged"):
        read_bundle(tmp_path / "b")
    copied.unlink()
    with pytest.raises(ArtifactError, match=r"lacks tokenizer\.json"):
        read_bundle(tmp_path / "b")


def test_a_file_of_the_modality_that_cannot_be_written_leaves_no_bundle(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_bundle(tmp_path / "b", _network(), SPEC, {"gone/tokenizer.json": b"{}"})
    assert list(tmp_path.iterdir()) == []


def test_a_task_with_settings_and_more_outputs_than_names_comes_back(tmp_path):
    facts = {"mean": [3.5], "std": [0.25]}
    spec = SPEC.model_copy(
        update={"task": Regression(coverage=0.8), "names": ("price",), "facts": facts, "num_outputs": 2}
    )
    network = _network(spec)
    write_bundle(tmp_path / "b", network, spec)
    found = read_bundle(tmp_path / "b")
    assert found.spec == spec
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert found.build()(images).shape == (2, 2)
        assert torch.equal(found.build()(images), network(images))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("targets.json", {"task": {"kind": "ranking"}, "names": ["a", "b"], "num_outputs": 2}, "task"),
        ("targets.json", {"task": {"kind": "classification"}, "names": [], "num_outputs": 2}, "names"),
        ("targets.json", {"task": {"kind": "classification"}, "names": ["a", "b"]}, "num_outputs"),
        ("preprocessing.json", {"stored_size": 40}, "preprocessing"),
    ],
)
def test_what_this_graft_does_not_know_is_named(bundle, name, content, told):
    _write(bundle / name, content)
    _reseal(bundle, name)
    with pytest.raises(ArtifactError, match=rf"cannot be understood \({told}.*export it again"):
        read_bundle(bundle)


def test_a_modality_that_is_not_installed_is_named(bundle):
    _edit(bundle / "manifest.json", modality="sound")
    with pytest.raises(ArtifactError, match="modality is sound, which is not installed here"):
        read_bundle(bundle)


# As the first release wrote it.
STRATEGY_1 = {
    "backbone": "efficientnet_lite0", "init": {"kind": "pretrained"}, "freeze": 0.5, "penalty": {"kind": "none"},
    "head": {"kind": "mlp", "width": 8, "depth": 1, "dropout": 0.0},
    "loss": {"kind": "cross_entropy", "label_smoothing": 0.0}, "optimizer": {"kind": "adamw"}, "lr": 0.001,
    "head_lr_factor": 1.0, "weight_decay": 0.01, "schedule": {"kind": "cosine", "warmup": 0.1},
    "augment": {"kind": "none"}, "resolution": 64, "batch_size": 64, "precision": "auto",
}  # fmt: skip
PREPROCESSING_1 = {
    "stored_size": 40, "resolution": 32, "channels": 3, "interpolation": "bicubic",
    "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
}  # fmt: skip


@pytest.fixture
def first_format(tmp_path):
    """A bundle of format 1, and the network in it."""
    directory, network = tmp_path / "first", _network()
    directory.mkdir()
    save_model(network, str(directory / "weights.safetensors"))
    _write(directory / "labels.json", ["null", "eins", "zwölf"])
    _write(directory / "preprocessing.json", PREPROCESSING_1)
    files = {path.name: _sealed(path) for path in directory.iterdir()}
    manifest = {
        "name": "digits", "architecture": "timm/test_efficientnet", "strategy": STRATEGY_1,
        "metrics": {"accuracy": 0.975}, "dataset": "f" * 64, "created": "2026-11-21T12:00:00+00:00",
        "format": 1, "graft": "0.1.0", "files": files,
    }  # fmt: skip
    _write(directory / "manifest.json", manifest)
    return directory, network


def test_a_bundle_of_the_first_format_is_read_as_images_of_classes(first_format):
    directory, network = first_format
    found = read_bundle(directory)
    assert (found.spec.modality, found.spec.task, found.written_by) == ("image", Classification(), "0.1.0")
    assert (found.spec.names, found.spec.num_outputs) == (("null", "eins", "zwölf"), 3)
    assert found.spec.preprocessing == PREPROCESSING
    assert found.spec.strategy == Strategy(head=MlpHead(width=8), freeze=0.5, resolution=64)
    assert (found.spec.name, found.spec.metrics, found.spec.dataset) == ("digits", {"accuracy": 0.975}, "f" * 64)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(found.build()(images), network(images))


@pytest.mark.parametrize("name", ["labels.json", "preprocessing.json"])
def test_damage_in_a_bundle_of_the_first_format_is_found(first_format, name):
    directory, _ = first_format
    content = bytearray((directory / name).read_bytes())
    content[-3] ^= 1
    (directory / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{name} of bundle .* is damaged"):
        read_bundle(directory)


def test_a_bundle_of_the_first_format_must_list_its_labels(first_format):
    directory, _ = first_format
    files = json.loads((directory / "manifest.json").read_text())["files"]
    _edit(directory / "manifest.json", files={name: seal for name, seal in files.items() if name != "labels.json"})
    with pytest.raises(ArtifactError, match=r"does not list weights\.safetensors, labels\.json"):
        read_bundle(directory)


OF_ANOTHER_TYPE = ["[]", "5", '"text"', "null", "true", "[[1, 2]]", '[["a", "b"]]', "[" * 100_000 + "]" * 100_000]


@pytest.mark.parametrize("content", OF_ANOTHER_TYPE)
@pytest.mark.parametrize("name", ["targets.json", "preprocessing.json", "manifest.json"])
def test_json_of_another_type_is_no_bundle(bundle, name, content):
    (bundle / name).write_text(content)
    if name != "manifest.json":
        _reseal(bundle, name)
    with pytest.raises(ArtifactError) as raised:
        read_bundle(bundle)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["{}", "5", '"text"', "null", "[5]", "[[]]", "[]"])
def test_labels_of_another_type_are_no_bundle(first_format, content):
    directory, _ = first_format
    (directory / "labels.json").write_text(content)
    _reseal(directory, "labels.json")
    with pytest.raises(ArtifactError) as raised:
        read_bundle(directory)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", ["names", "facts", "num_outputs", "task"])
@pytest.mark.parametrize("value", [None, 5, "text", [], {}, [None], {"a": []}])
def test_targets_of_another_type_are_named(bundle, key, value):
    fitting = {"facts": dict, "num_outputs": int, "task": str}.get(key, tuple)
    _edit(bundle / "targets.json", **{key: value})
    _reseal(bundle, "targets.json")
    if isinstance(value, fitting) and key != "task":
        return
    with pytest.raises(ArtifactError, match=f"cannot be understood .{key}"):
        read_bundle(bundle)
