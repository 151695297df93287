"""Tables with a JSON object in each line. Read line by line, so that a damaged one can be named."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from graft.core.errors import DataError
from graft.core.unicode_form import spelled_like
from graft.data import unique_keys
from graft.data.contents.coded import Coded
from graft.data.contents.spool import Spool
from graft.data.tables.encoding import check_encoding, is_utf8
from graft.data.tables.rows import require_columns

_KINDS = {
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    str: "a text",
    type(None): "null",
}


def _keys(name: str, found: dict[str, Any]) -> list[str]:
    """A key as an object writes it, if it is there."""
    return [name] if name in found else spelled_like(name, found)[:1]


class JsonLines:
    """A JSONL file.

    Args:
        path: of the file.
        encoding: of the file.

    Raises:
        DataError: it is not text of this encoding.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        check_encoding(path, encoding)
        self._path = path
        self._encoding = "utf-8-sig" if is_utf8(encoding) else encoding

    @cached_property
    def names(self) -> list[str]:
        """The keys of the first object."""
        return list(next(self._objects(), {}))

    def read(self, sample: str, others: Sequence[str]) -> tuple[Sequence[bytes], dict[str, Coded]]:
        """Samples and values; a key that an object lacks is missing there."""
        samples = Spool()
        values = {name: Coded() for name in others}
        seen: set[str] = set()
        wanted = (sample, *others)
        for row, found in enumerate(self._objects(), start=1):
            present = {name: found[there] for name in wanted for there in _keys(name, found)}
            samples.append(self._text(present.get(sample), sample, row))
            for name in others:
                values[name].append(present.get(name))
            seen.update(present)
        later = [name for name in seen if not spelled_like(name, self.names)]
        require_columns(self._path, [*later, *self.names], wanted)
        return samples, values

    def contents(self, sample: str) -> None:
        """Samples are texts."""

    def _text(self, value: Any, column: str, row: int) -> bytes:
        if value is None:
            return b""
        if not isinstance(value, str):
            found = _KINDS.get(type(value), "no text")
            raise DataError(
                f"column `{column}` of {self._path.name} is {found} in row {row}, but must be a text; correct it, or "
                "name another column"
            )
        # Half a character is no text: the decoder will say so, and name the row.
        return value.encode("utf-8", "surrogatepass")

    def _objects(self) -> Iterator[dict[str, Any]]:
        with self._path.open(encoding=self._encoding, newline="\n") as stream:
            for number, line in enumerate(stream, start=1):
                if line.isspace():
                    continue
                yield self._object(line, number)

    def _object(self, line: str, number: int) -> dict[str, Any]:
        try:
            found = unique_keys.loads(line)
        except unique_keys.DuplicateKeyError as error:
            raise DataError(f"{self._path}, line {number} {error}") from error
        except (ValueError, RecursionError) as error:
            if line.strip() in ("[", "{"):
                raise DataError(
                    f"{self._path}, line {number} begins what goes on in the next line, but each line must be an "
                    "object; write one sample in each line (jq -c '.[]' does that to a list)"
                ) from error
            told = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
            raise DataError(f"{self._path}, line {number} is no JSON ({told}); correct or remove the line") from error
        if not isinstance(found, dict):
            rule = 'but must be an object such as {"text": "…", "label": "…"}; write one in each line'
            raise DataError(f"{self._path}, line {number} is {_KINDS[type(found)]}, {rule}")
        return found
