import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from graft.models.weights.header import file_problem

WEIGHTS = {"a.weight": torch.arange(600.0).reshape(20, 30), "a.bias": torch.ones(20)}


class _Boom:
    def __reduce__(self):
        return (print, ("this must not be run",))


def _written(path, content, legacy=False):
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize(("name", "legacy"), [("w.safetensors", False), ("w.pth", False), ("w.bin", True)])
def test_weights_as_they_should_be_and_cut_off(tmp_path, name, legacy):
    path = _written(tmp_path / name, WEIGHTS, legacy)
    assert file_problem(path) is None
    path.write_bytes(path.read_bytes()[:200])
    assert file_problem(path).startswith(f"weights file {path} is damaged or of another format (")


def test_weights_that_lack_their_end_are_told_by_their_size(tmp_path):
    path = _written(tmp_path / "w.safetensors", WEIGHTS)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-100])
    assert f"it has {size - 100:,} bytes, but its header tells of {size:,}: it is cut off" in file_problem(path)


@pytest.mark.parametrize("header", [{"a": {}}, {"a": {"data_offsets": ["x", "y"]}}, [1], {"a": None}])
def test_headers_of_something_else(tmp_path, header):
    text = json.dumps(header).encode()
    (tmp_path / "w.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    assert "its header is none of safetensors" in file_problem(tmp_path / "w.safetensors")


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_told_and_not_run(tmp_path, capsys, legacy):
    path = _written(tmp_path / "w.pth", {"a": torch.ones(1), "b": _Boom()}, legacy)
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(_Boom()))
    for one in (path, tmp_path / "bare.pth"):
        assert "holds more than tensors, which graft never unpickles" in file_problem(one)
    assert capsys.readouterr().out == ""


def test_what_no_file_of_weights_is(tmp_path):
    assert file_problem(tmp_path / "w.pth") == f"weights file {tmp_path / 'w.pth'} does not exist"
    (tmp_path / "w.onnx").touch()
    assert "ends in `.onnx`, but must end in .safetensors, .pt" in file_problem(tmp_path / "w.onnx")
