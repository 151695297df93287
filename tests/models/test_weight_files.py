import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from graft.core.errors import ArtifactError
from graft.models.weight_files import read_weights

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


class _Boom:
    """Unpickling it makes a directory: the proof that code of the file has run."""

    def __init__(self, directory):
        self.directory = directory

    def __reduce__(self):
        return (os.mkdir, (self.directory,))


def _same(found):
    return found.keys() == WEIGHTS.keys() and all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


def test_safetensors(tmp_path):
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert _same(read_weights(tmp_path / "w.safetensors"))


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "epoch": 3},
        {"model": WEIGHTS},
        {f"module.{name}": value for name, value in WEIGHTS.items()},
        {"state_dict": {f"backbone.{name}": value for name, value in WEIGHTS.items()}},
        {f"_orig_mod.module.model.{name}": value for name, value in WEIGHTS.items()},
        {**{f"module.{name}": value for name, value in WEIGHTS.items()}, "n_averaged": torch.tensor(3)},
        {"net": WEIGHTS, "epoch": 3, "optimizer": {"state": {0: {"step": torch.ones(1)}}, "param_groups": [{"lr": 1}]}},
        {"state_dict": {"student": {f"module.{name}": value for name, value in WEIGHTS.items()}}},
    ],
    ids=[
        "plain",
        "state_dict",
        "model",
        "data-parallel",
        "nested-prefix",
        "compiled",
        "averaged",
        "the-only-one",
        "nested-wrapper",
    ],
)
def test_torch_files_are_unwrapped(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    assert _same(read_weights(tmp_path / "w.pth"))


def test_a_prefix_that_not_all_names_share_stays(tmp_path):
    torch.save({"model.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "w.pt")
    assert read_weights(tmp_path / "w.pt").keys() == {"model.a", "b"}


def test_no_code_of_the_file_is_run_and_nothing_else_is_said(tmp_path, recwarn):
    trap = tmp_path / "trap"
    torch.save({"a": torch.ones(1), "b": _Boom(str(trap))}, tmp_path / "torch.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(_Boom(str(trap)), protocol=2))
    (tmp_path / "newer.pth").write_bytes(pickle.dumps(_Boom(str(trap)), protocol=4))
    for name in ("torch.pth", "bare.pth", "newer.pth"):
        with pytest.raises(ArtifactError, match="never unpickles"):
            read_weights(tmp_path / name)
    assert not trap.exists()
    assert [str(one.message) for one in recwarn] == []


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("content", [b"", b"\x00" * 8, b"these are no weights", b"PK\x03\x04 broken zip"])
def test_damaged_file(tmp_path, suffix, content):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"w\.\w+ is damaged or") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_pointer_in_place_of_the_file(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ArtifactError, match=r"is a pointer of Git LFS, not the file; fetch it with `git lfs pull`$"):
        read_weights(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_truncated_file(tmp_path, suffix):
    whole, part = tmp_path / f"whole{suffix}", tmp_path / f"part{suffix}"
    save_file(WEIGHTS, whole) if suffix == ".safetensors" else torch.save(WEIGHTS, whole)
    part.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(ArtifactError, match="is damaged"):
        read_weights(part)


def test_missing_file(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        read_weights(tmp_path / "w.pth")


def test_foreign_suffix(tmp_path):
    (tmp_path / "w.onnx").touch()
    with pytest.raises(ArtifactError, match=r"ends in `\.onnx`, but must end in"):
        read_weights(tmp_path / "w.onnx")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([torch.ones(1)], "holds no state dict"),
        ({}, "holds no state dict"),
        ({"a": 3}, "holds int as `a`"),
        ({0: torch.ones(1)}, "holds Tensor as `0`, but must hold tensors by their names; save"),
        ({"teacher": WEIGHTS, "student": WEIGHTS}, r"holds 2 state dicts \(`teacher`, `student`\), but must hold one"),
    ],
)
def test_file_without_a_state_dict(tmp_path, content, says):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ArtifactError, match=says):
        read_weights(tmp_path / "w.pth")
