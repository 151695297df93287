"""How large the values of a column are, told without unpacking them: many rows may point to one large value."""

import numpy as np
import pyarrow as pa
from pyarrow import compute

_VIEW_INTS = 4
"""A view is four numbers, the first of which is its length (Columnar Format, Variable-size Binary View Layout)."""


def largest_value(column: pa.Array) -> int:
    """Bytes of the largest text, or row of texts, of a column that is unpacked; 1 for numbers and the like.

    Of lists it is the longest one with as many of the largest texts.
    """
    if pa.types.is_dictionary(column.type):
        return largest_value(column.dictionary)
    if is_list(column.type):
        return max(longest_list(column), 1) * largest_value(column.flatten())
    if _is_view(column.type):
        views = column.buffers()[1]
        lengths = np.frombuffer(views, dtype=np.int32)[_VIEW_INTS * column.offset :: _VIEW_INTS][: len(column)]
        return max(int(lengths.max(initial=0)), 1)
    if _is_text(column.type):
        return max(compute.max(compute.binary_length(column)).as_py() or 0, 1)
    return 1


def longest_list(column: pa.Array) -> int:
    """Members of the longest list of a column of lists."""
    return compute.max(compute.list_value_length(column)).as_py() or 0


def is_list(kind: pa.DataType) -> bool:
    """Whether values are lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    is_string = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(is_string or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
