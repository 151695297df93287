"""The library `hf`: folders, names on the hub, configurations; and one line for everything that is wrong."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.modalities.text.configurations import FAMILIES, architecture
from tests.modalities.text.tiny_backbone import WORDS, save, tokenizer

from graft.core.errors import ArtifactError
from graft.modalities.text.backbones.transformers import TransformersLibrary
from graft.models.libraries import build_backbone
from graft.models.load import describe_backbone, load_backbone

LIBRARY = TransformersLibrary()


def test_a_folder_is_described_without_its_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    info = describe_backbone(f"hf:{folder}")
    assert (info.name, info.modality, info.num_blocks, info.num_features) == (f"hf:{folder}", "text", 4, 32)
    assert info.num_params == sum(one.numel() for one in build_backbone(info.architecture).parameters())
    given = info.input
    assert (given.pad_token, given.max_tokens, given.family) == (0, 64, "bert")
    assert given.names == ("input_ids", "attention_mask", "token_type_ids")
    assert given.tokenizer.path() == folder / "tokenizer.json"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bundle_needs_no_folder(family: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", family)
    assert LIBRARY.problem(str(folder)) is None
    weights = LIBRARY.read(str(folder))
    rebuilt_from = LIBRARY.describe(str(folder)).architecture
    shutil.rmtree(folder)
    state = build_backbone(rebuilt_from).state_dict()
    network = LIBRARY.create(rebuilt_from.removeprefix("hf/"))
    network.load_state_dict(weights, strict=True)
    assert LIBRARY.wrap(network).state_dict().keys() == state.keys()
    assert LIBRARY.describe(rebuilt_from.removeprefix("hf/")).architecture == rebuilt_from


def test_another_process_builds_the_same(folder: Path, tmp_path: Path) -> None:
    loaded = load_backbone(f"hf:{folder}")
    torch.save({"state": loaded.backbone.state_dict(), "architecture": loaded.info.architecture}, tmp_path / "bundle")
    batch = {"input_ids": torch.tensor([[2, 4, 5, 3]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}
    with torch.no_grad():
        torch.save(loaded.backbone(batch), tmp_path / "features")
    shutil.rmtree(folder)
    code = f"""
import torch
from graft.models.libraries import build_backbone
given = torch.load({str(tmp_path / "bundle")!r})
backbone = build_backbone(given["architecture"], 32).eval()
backbone.load_state_dict(given["state"])
batch = {{"input_ids": torch.tensor([[2, 4, 5, 3]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}}
with torch.no_grad():
    assert torch.equal(backbone(batch), torch.load({str(tmp_path / "features")!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_are_those_of_the_file(folder: Path) -> None:
    backbone = load_backbone(f"hf:{folder}").backbone
    stored = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in stored.items() if not name.startswith("pooler.")}
    assert len(kept) == len(backbone.state_dict()) < len(stored)
    query = backbone.blocks[2].state_dict()["attention.self.query.weight"]
    assert torch.equal(query, stored["encoder.layer.2.attention.self.query.weight"])


def test_a_file_of_a_whole_model_and_of_half_precision_is_read(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    save_file({f"bert.{name}": one.half() for name, one in stored.items()}, folder / "model.safetensors")
    found = LIBRARY.read(str(folder))
    assert {one.dtype for one in found.values()} == {torch.float32}
    query = "encoder.layer.0.attention.self.query.weight"
    assert torch.equal(found[query], stored[query].half().float())


def test_loading_is_silent_and_moves_no_random_numbers(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    LIBRARY.read(str(folder))
    assert torch.equal(torch.rand(1), expected)
    assert capfd.readouterr() == ("", "")


def test_the_version_follows_the_weights(folder: Path) -> None:
    before = LIBRARY.version(str(folder))
    assert LIBRARY.version(str(folder)) == before
    save_file({"a": torch.zeros(3)}, folder / "model.safetensors")
    assert LIBRARY.version(str(folder)) != before


def changed(**fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def truncated(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def other_tokenizer(folder: Path) -> None:
    tokenizer([*WORDS, *(f"word{number}" for number in range(200))]).save(str(folder / "tokenizer.json"))


class Evil:
    """Unpickling it makes a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.directory),)


def pickled_code(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.ones(1), "b": Evil(folder / "trace")}, folder / "pytorch_model.bin")


def renamed(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


PROBLEMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "has no config.json; name one that"),
    "half a configuration": (truncated("config.json"), "config.json cannot be read as JSON"),
    "a list": (lambda folder: (folder / "config.json").write_text("[]"), "is a list, but must be a mapping"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json; name one that"),
    "half a tokenizer": (truncated("tokenizer.json"), "tokenizer.json is no fast tokenizer"),
    "another tokenizer": (
        other_tokenizer,
        "has 213 tokens, but the network has embeddings for 120; they do not belong",
    ),
    "ALBERT": (changed(model_type="albert"), "is ALBERT, whose layers share their weights, so it cannot be cut"),
    "a convolution": (changed(model_type="deberta-v2", conv_kernel_size=3), "is DeBERTa with a convolution beside"),
    "a stranger": (changed(model_type="gpt2"), "is of the family `gpt2`, but must be one of bert, camembert"),
    "a decoder": (changed(is_decoder=True), "is a decoder, but must be an encoder"),
    "quantised": (changed(quantization_config={"bits": 4}), "has quantised weights, which cannot be trained"),
    "other positions": (changed(position_embedding_type="relative_key"), "counts positions in a way that"),
    "wrong types": (changed(hidden_size="wide"), "has a config.json that its family does not take"),
    "no layers": (changed(num_hidden_layers=0), "has 0 layers, but must have 1 to 512"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_is_wrong_is_said_in_one_line(case: str, folder: Path) -> None:
    change, told = PROBLEMS[case]
    change(folder)
    problem = LIBRARY.problem(str(folder))
    assert problem is not None
    assert told in problem
    assert "\n" not in problem


def test_code_of_a_folder_is_not_run(folder: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(folder / 'trace')!r}, 'w')\nclass Evil: pass")
    changed(auto_map={"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}, attn_implementation="evil/kernel")(folder)
    load_backbone(f"hf:{folder}")
    assert not (folder / "trace").exists()


DAMAGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "half the weights": (truncated("model.safetensors"), "cannot be loaded"),
    "garbage": (lambda folder: (folder / "model.safetensors").write_bytes(b"garbage" * 9), "cannot be loaded"),
    "more layers": (changed(num_hidden_layers=6), "lack 32 tensors that config.json asks for (encoder.layer.4."),
    "another width": (changed(intermediate_size=128), "cannot be loaded"),
    "pickled code": (pickled_code, "is damaged or holds more than tensors, which graft never unpickles"),
    "no pickle": (renamed, "pytorch_model.bin is damaged or"),
    "none": (
        lambda folder: (folder / "model.safetensors").unlink(),
        "has no model.safetensors and no pytorch_model.bin",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_weights_get_one_line(case: str, folder: Path) -> None:
    change, told = DAMAGED[case]
    change(folder)
    with pytest.raises(ArtifactError) as raised:
        LIBRARY.read(str(folder))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "weights_only" not in str(raised.value)
    assert not (folder / "trace").exists(), "nothing of a file is run"


def test_pickled_tensors_are_read_where_there_are_no_others(folder: Path) -> None:
    expected = LIBRARY.read(str(folder))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found = LIBRARY.read(str(folder))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("/no/such/folder", "folder /no/such/folder does not exist; check the path"),
        ("~/no-such-folder", "does not exist; check the path"),
        ("./no-such-folder", "does not exist; check the path"),
        (
            "nobody/no-such-model",
            "was not fetched from the hub; fetch it with a network: graft zoo pull hf:nobody/no-such-model",
        ),
    ],
)
def test_a_missing_place_is_told_from_the_hub(name: str, told: str) -> None:
    problem = LIBRARY.problem(name)
    assert problem is not None
    assert told in problem
    assert "\n" not in problem


def test_a_file_is_no_folder(folder: Path) -> None:
    assert "is a file, but must be a folder" in str(LIBRARY.problem(str(folder / "config.json")))


def test_a_configuration_has_no_weights_and_no_tokenizer() -> None:
    assert LIBRARY.problem(architecture("bert")) is None
    assert LIBRARY.describe(architecture("bert")).input.tokenizer is None
    with pytest.raises(ArtifactError, match="a configuration has no weights"):
        LIBRARY.read(architecture("bert"))
    assert "is no JSON" in str(LIBRARY.problem("{nothing"))


@pytest.mark.parametrize(("family", "positions"), [("bert", 64), ("roberta", 64), ("mpnet", 64), ("modernbert", 64)])
def test_a_text_of_full_length_fits(family: str, positions: int) -> None:
    network = LIBRARY.create(architecture(family)).eval()
    given = LIBRARY.describe(architecture(family)).input
    assert given.max_tokens == positions
    numbers = torch.full((1, positions), 7)
    with torch.no_grad():
        network(input_ids=numbers, attention_mask=torch.ones_like(numbers))
        if family in ("bert", "roberta", "mpnet"):
            longer = torch.full((1, positions + 1), 7)
            with pytest.raises((RuntimeError, IndexError)):
                network(input_ids=longer, attention_mask=torch.ones_like(longer))
