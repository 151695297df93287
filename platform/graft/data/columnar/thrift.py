"""Thrift's compact protocol, as far as Parquet's headers need it (thrift-compact-protocol.md), to plain values."""

from typing import Any

_STOP, _TRUE, _FALSE = 0, 1, 2
_DEPTH = 16

Struct = dict[int, Any]
"""Values by the number of their field: whole numbers, booleans, bytes, lists, structs; None for a floating number."""


def read_struct(content: bytes) -> tuple[Struct, int]:
    """The struct that some bytes begin with, and how many bytes it has.

    Raises:
        ValueError: they begin with none.
    """
    reader = _Reader(content)
    try:
        return reader.struct(0), reader.at
    except IndexError:
        raise ValueError("its header is damaged or cut off") from None


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self.at = content, 0

    def struct(self, depth: int) -> Struct:
        if depth > _DEPTH:
            raise ValueError("its header is nested too deep")
        fields: Struct = {}
        field = 0
        while (mark := self._byte()) != _STOP:
            delta, kind = mark >> 4, mark & 15
            field = field + delta if delta else self._zigzag()
            # Of a field, the kind says whether it is true; of an element, a byte does.
            fields[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 3 | 1 | 2:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return self._bytes(8) and None
            case 8:
                return self._bytes(self._varint())
            case 9 | 10:
                mark = self._byte()
                count = self._varint() if mark >> 4 == 15 else mark >> 4
                if count > len(self._content) - self.at:
                    raise ValueError("its header has a list longer than itself")
                return [self._value(mark & 15, depth + 1) for _ in range(count)]
            case 12:
                return self.struct(depth + 1)
        raise ValueError("its header has a field of no known kind")

    def _bytes(self, count: int) -> bytes:
        found = self._content[self.at : self.at + count]
        if len(found) < count:
            raise IndexError(count)
        self.at += count
        return found

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128 or shift > 63:
                return value

    def _byte(self) -> int:
        byte = self._content[self.at]
        self.at += 1
        return byte
