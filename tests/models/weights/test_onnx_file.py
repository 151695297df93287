"""Weights out of an ONNX file: nameless matrices get their names back, and damage is told in a line."""

from pathlib import Path

import numpy as np
import pytest
import torch

from graft.core.errors import ArtifactError
from graft.models.weights.onnx_file import read_onnx


def number(value: int) -> bytes:
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def field(index: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return number(index << 3) + number(value)
    return number(index << 3 | 2) + number(len(value)) + value


def tensor(name: str, array: np.ndarray, kind: int = 1) -> bytes:
    dims = b"".join(field(1, size) for size in array.shape)
    return field(5, dims + field(2, kind) + field(8, name.encode()) + field(9, array.tobytes()))


def node(operation: str, inputs: list[str], output: str) -> bytes:
    given = b"".join(field(1, name.encode()) for name in inputs)
    return field(1, given + field(2, output.encode()) + field(4, operation.encode()))


MATRIX = np.arange(600, dtype=np.float32).reshape(2, 300)
BIAS = np.ones(300, dtype=np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    graph = node("MatMul", ["x", "onnx::MatMul_7"], "product") + node("Add", ["net.dense.bias", "product"], "y")
    graph += tensor("net.dense.bias", BIAS) + tensor("onnx::MatMul_7", MATRIX) + tensor("count", np.arange(3), kind=7)
    path = tmp_path / "weights.onnx"
    path.write_bytes(field(1, 8) + field(2, b"pytorch") + field(7, graph))
    return path


def test_a_matrix_is_named_after_its_bias_and_turned_back(file: Path) -> None:
    found = read_onnx(file, "net.")
    assert found.keys() == {"dense.bias", "dense.weight"}
    assert torch.equal(found["dense.weight"], torch.from_numpy(MATRIX.T.copy()))
    assert torch.equal(found["dense.bias"], torch.from_numpy(BIAS))


def test_other_tensors_are_left_out(file: Path) -> None:
    assert read_onnx(file, "another.") == {}


@pytest.mark.parametrize("left", [0, 1, 40, 900])
def test_a_damaged_file_is_told_in_a_line(file: Path, left: int) -> None:
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ArtifactError, match=r"weights\.onnx is damaged or no ONNX file \(.*\); fetch it anew$"):
        read_onnx(file, "net.")


def test_a_file_of_another_format_is_told_in_a_line(file: Path) -> None:
    file.write_bytes(b"\x80\x02}q\x00." * 20)
    with pytest.raises(ArtifactError, match="damaged or no ONNX file"):
        read_onnx(file, "net.")
