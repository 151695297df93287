"""Reads the weights of a network out of an ONNX file (onnx.ai; `onnx.proto3`): tensors and names, no operation is run.

An exporter folds the transposition of a linear layer into its matrix and forgets the matrix's name, but not that of the
bias which is added to the product. So a nameless matrix gets its name from there, and is turned back.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graft.core.errors import ArtifactError

# Field numbers of onnx.proto3.
_GRAPH = 7
_NODE, _INITIALIZER = 1, 5
_INPUT, _OUTPUT, _OPERATION = 1, 2, 4
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
_FLOAT = 1
_BIAS = "bias"


def read_onnx(path: Path, prefix: str) -> dict[str, Tensor]:
    """The float tensors of a file whose names begin with a prefix, by their names without it.

    Args:
        path: of the file; its digest has been checked.
        prefix: of the parameters; nameless matrices are named after the biases that have it.

    Raises:
        ArtifactError: the file is no such one.
    """
    try:
        graph = dict(_fields(memoryview(path.read_bytes())))[_GRAPH]
        return _named(graph, prefix)
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"weights file {path} is damaged or no ONNX file ({error}); fetch it anew") from error


def _named(graph: Any, prefix: str) -> dict[str, Tensor]:
    parts = list(_fields(graph))
    tensors = dict(one for number, part in parts if number == _INITIALIZER if (one := _tensor(part)) is not None)
    found = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    nodes = [_Node(part) for number, part in parts if number == _NODE]
    products = {node.output: node.inputs[1] for node in nodes if node.operation == "MatMul"}
    for node in nodes:
        matrix = next((products[name] for name in node.inputs if name in products), None)
        bias = next((name for name in node.inputs if name.startswith(prefix) and name.endswith(_BIAS)), None)
        if node.operation == "Add" and matrix in tensors and bias is not None:
            name = bias.removeprefix(prefix).removesuffix(_BIAS) + "weight"
            found[name] = tensors[matrix].T.contiguous()
    return found


class _Node:
    """One operation: what it is, and the names of what it takes and gives."""

    def __init__(self, part: memoryview) -> None:
        fields = list(_fields(part))
        self.inputs = [_text(value) for number, value in fields if number == _INPUT]
        self.output = next(_text(value) for number, value in fields if number == _OUTPUT)
        self.operation = next(_text(value) for number, value in fields if number == _OPERATION)


def _tensor(part: memoryview) -> tuple[str, Tensor] | None:
    """Name and values of a float tensor; None of another one."""
    shape: list[int] = []
    values: dict[int, Any] = {}
    for number, value in _fields(part):
        if number != _DIMS:
            values[number] = value
        elif isinstance(value, int):
            shape.append(value)
        else:
            shape += _numbers(value)
    if values.get(_TYPE) != _FLOAT or _RAW not in values:
        return None
    array = np.frombuffer(values[_RAW], "<f4").reshape(shape)
    return _text(values[_NAME]), torch.from_numpy(array.copy())


def _fields(part: Any) -> Iterator[tuple[int, Any]]:
    """Numbers and values of a message's fields: numbers as such, everything else as its bytes."""
    place = 0
    while place < len(part):
        key, place = _number(part, place)
        kind = key & 7
        if kind == 0:
            value, place = _number(part, place)
            yield key >> 3, value
            continue
        size, place = ({1: 8, 5: 4}[kind], place) if kind != 2 else _number(part, place)
        if place + size > len(part):
            raise ValueError("it ends too early")
        yield key >> 3, part[place : place + size]
        place += size


def _number(part: memoryview, place: int) -> tuple[int, int]:
    """The number of variable length at a place, and the place behind it."""
    value = shift = 0
    while True:
        byte = part[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place


def _numbers(part: memoryview) -> list[int]:
    place, found = 0, []
    while place < len(part):
        value, place = _number(part, place)
        found.append(value)
    return found


def _text(value: memoryview) -> str:
    return str(value, "utf-8")
