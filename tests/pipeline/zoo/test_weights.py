"""Weights that are pulled: where they lie, what is compared, what a damaged file leads to."""

import hashlib
import json
from pathlib import Path

import huggingface_hub
import pytest
import timm
from safetensors.torch import load, save
from tests.modalities.text.tiny_backbone import save as save_encoder

from graft.core.errors import ArtifactError
from graft.models.load import check_backbone, describe_backbone, load_backbone, weights_version
from graft.pipeline.zoo.facts import shown
from graft.pipeline.zoo.weights import pull, verify

NAME = "timm:test_resnet.r160_in1k"
TEXT = "hf:somebody/tiny"


class Hub:
    """The hub, as far as files go: it lays them into its cache as the real client does."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.files: dict[tuple[str, str], bytes] = {}
        self.asked: list[str] = []

    def download(self, repository: str, name: str, revision: str | None = None, force_download: bool = False) -> str:
        from huggingface_hub.errors import EntryNotFoundError

        self.asked.append(name)
        if (repository, name) not in self.files:
            raise EntryNotFoundError(f"{repository} has no {name}")
        content = self.files[repository, name]
        root = self.cache / f"models--{repository.replace('/', '--')}"
        blob = root / "blobs" / hashlib.sha256(content).hexdigest()
        link = root / "snapshots" / ("0" * 40) / name
        for path in (blob, link, root / "refs" / "main"):
            path.parent.mkdir(parents=True, exist_ok=True)
        (root / "refs" / "main").write_text("0" * 40)
        blob.write_bytes(content)
        link.unlink(missing_ok=True)
        link.symlink_to(blob)
        return str(link)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub with one network of timm and one text encoder."""
    found = Hub(tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(found.cache))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", found.download)
    network = timm.create_model("test_resnet.r160_in1k")
    found.files["timm/test_resnet.r160_in1k", "model.safetensors"] = save(network.state_dict())
    folder = save_encoder(tmp_path / "encoder")
    for path in folder.iterdir():
        found.files["somebody/tiny", path.name] = path.read_bytes()
    found.files["somebody/tiny", "README.md"] = b"---\nlanguage: en\nlicense: mit\n---\n# Tiny\n"
    return found


def test_what_was_pulled_is_loaded_without_asking_again(hub: Hub) -> None:
    assert NAME in str(check_backbone(NAME))
    is_new, files = pull(NAME)
    assert is_new
    assert [one.problem for one in files] == [None]
    assert files[0].digest == files[0].file.stated
    assert check_backbone(NAME) is None
    assert weights_version(NAME) == files[0].digest, "stored features are of these weights"
    load_backbone(NAME)
    assert hub.asked == ["model.safetensors"]
    assert pull(NAME) == (False, files)
    assert hub.asked == ["model.safetensors"]
    assert pull(NAME, force=True) == (True, files)
    assert hub.asked == ["model.safetensors"] * 2


def test_a_text_encoder_comes_with_tokenizer_and_licence(hub: Hub) -> None:
    assert pull(TEXT)[0]
    assert set(hub.asked) >= {"config.json", "tokenizer.json", "model.safetensors", "README.md"}
    info = describe_backbone(TEXT)
    assert (info.licence, info.num_blocks) == ("mit", 4)
    load_backbone(TEXT)
    told = shown(TEXT)
    assert told["tokenizer"]["digest"] == info.input.digest
    assert told["digest"] == told["files"][0]["digest"]
    assert check_backbone("gru:hf:somebody/tiny") is None


def test_a_damaged_file_is_found_refused_and_fetched_anew(hub: Hub) -> None:
    _, (file,) = pull(NAME)
    blob = file.file.path.resolve()
    blob.write_bytes(blob.read_bytes()[:-20])
    (again,) = verify(NAME)
    assert "but must have" in str(again.problem)
    with pytest.raises(ArtifactError, match=f"fetch it anew: graft zoo pull {NAME} --force"):
        load_backbone(NAME)
    with pytest.raises(ArtifactError, match=f"graft zoo pull {NAME} --force"):
        pull(NAME)
    assert pull(NAME, force=True)[1] == [file]
    load_backbone(NAME)


def test_what_the_hub_does_not_have_is_told(hub: Hub) -> None:
    del hub.files["somebody/tiny", "tokenizer.json"]
    with pytest.raises(ArtifactError, match=r"`somebody/tiny` has no tokenizer\.json on the hub; choose"):
        pull(TEXT)


def test_weights_in_several_files_are_fetched_and_checked_one_by_one(hub: Hub) -> None:
    whole = hub.files.pop(("somebody/tiny", "model.safetensors"))
    hub.files["somebody/tiny", "part.safetensors"] = whole
    index = {name: "part.safetensors" for name in load(whole)}
    hub.files["somebody/tiny", "model.safetensors.index.json"] = json.dumps(
        {"metadata": {}, "weight_map": index}
    ).encode()
    _, files = pull(TEXT)
    assert [one.file.path.name for one in files] == ["model.safetensors.index.json", "part.safetensors"]
    load_backbone(TEXT)
    files[1].file.path.unlink()
    assert "has no part.safetensors, a part of the weights" in str(check_backbone(TEXT))


@pytest.mark.parametrize("part", ["../../evil.safetensors", "/etc/passwd"])
def test_an_index_names_nothing_outside_of_its_folder(hub: Hub, part: str) -> None:
    hub.files.pop(("somebody/tiny", "model.safetensors"))
    hub.files["somebody/tiny", "model.safetensors.index.json"] = b'{"weight_map": {"a": "%s"}}' % part.encode()
    with pytest.raises(ArtifactError, match="which is outside of its folder"):
        pull(TEXT)
