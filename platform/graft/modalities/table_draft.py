"""What a table may be: which column holds the samples, and of which modality they are."""

import contextlib
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

from graft.core.errors import DataError
from graft.core.unicode_form import composed
from graft.data.contents.coded import Coded
from graft.data.contents.parts import Contents
from graft.data.draft import Draft, Wish
from graft.data.tables.column_facts import ColumnFacts, facts_of, share_known
from graft.data.tables.delimited import DELIMITERS, DelimitedTable
from graft.data.tables.encoding import require_file
from graft.data.tables.labelled import SUFFIXES, open_table
from graft.data.tables.roles import Roles, decide_roles
from graft.data.tables.rows import Table, require_columns
from graft.data.tables.suggested_sides import suggested_sides
from graft.modalities.guessed_encoding import WESTERN, encoding_of, start_of, told_guess
from graft.modalities.image.sources.named_files import NamedPictures

_IN_TEXT = (*DELIMITERS, ".jsonl", ".ndjson")
_TOGETHER = 16
_MOST_COLUMNS = 512
_LONGEST_PATH = 4096
# Of what is to be predicted, or how answers are to be written: a model learns from another table.
_OF_TEST = re.compile(r"(?i)submi|sample|test")


def draft_table(path: Path, wish: Wish) -> Draft | None:
    """A table; or the only one in a directory, if that holds nothing else that could be meant.

    Raises:
        DataError: it cannot be read, or its columns have several meanings, or none.
    """
    if path.is_dir():
        tables = [one for one in sorted(path.iterdir()) if one.suffix.lower() in SUFFIXES and one.is_file()]
        if len(tables) > 1 and wish.kind == "table":
            names = ", ".join(f"`{one.name}`" for one in tables[:20])
            first = shlex.quote(str(next((one for one in tables if not _OF_TEST.search(one.stem)), tables[0])))
            raise DataError(f"{path} holds {len(tables)} tables: {names}; name one, as in `graft init {first}`")
        return _draft(tables[0], wish) if len(tables) == 1 and wish.kind == "table" else None
    if wish.kind is None and path.suffix.lower() not in SUFFIXES:
        return None
    return _draft(path, wish)


def _draft(path: Path, wish: Wish) -> Draft:
    require_file(path)
    encoding = wish.encoding or encoding_of(path) if path.suffix.lower() in _IN_TEXT else "utf-8"
    table = open_table(path, encoding)
    _check_header(path, table)
    wish = wish.in_table([name for name in table.names if name])
    if named := [name for name in (wish.sample, *wish.labels) if name]:
        require_columns(path, table.names, named)
    columns, values = _read(path, table, wish)
    _check_named(path, values)
    count = max((column.rows for column in columns), default=0)
    if not count:
        raise DataError(f"{path} holds no rows, but must hold some beside its header")
    try:
        roles = decide_roles(columns, path.name, wish.sample, wish.labels)
    except DataError:
        require_columns(path, table.names, sorted({name for name in table.names if name}))  # one that is there twice
        raise
    section: dict[str, Any] = {
        "image" if roles.is_file else "text": roles.sample,
        "label": roles.labels[0] if len(roles.labels) == 1 else list(roles.labels),
    }
    section |= {"split": roles.split} if roles.split else {}
    section |= {"encoding": encoding} if encoding != "utf-8" else {}
    contents = table.contents(roles.sample)
    strategy = _fitted(path, roles, values[roles.sample], contents)
    notes = (
        *_encoding_notes(path, encoding, wish),
        *_notes(path, roles, values[roles.sample] if contents is None else ()),
    )
    suggested = suggested_sides(columns, {roles.sample, *roles.labels, roles.split or ""})
    return Draft("table", path, count, section, strategy, notes, suggested)


def _fitted(path: Path, roles: Roles, samples: Sequence[Any], contents: Contents | None) -> Mapping[str, Any]:
    if roles.is_file:
        from graft.modalities.image.draft import fitted_to_contents, fitted_to_files, require_files
        from graft.modalities.image.sources.cells import Base64Contents, are_base64

        if contents is None and are_base64([str(sample).encode() for sample in samples[:_TOGETHER] if sample]):
            contents = Base64Contents()
        if contents is not None:
            return fitted_to_contents(contents, samples)
    given = [str(sample) for sample in samples if sample]
    if roles.is_file:
        files = NamedPictures(path).paths(given)
        require_files(files, given, f"column `{roles.sample}` of {path.name}", path.parent)
        return fitted_to_files(files)
    from graft.modalities.text.draft import fitted_to_texts

    return fitted_to_texts(given)


def _encoding_notes(path: Path, encoding: str, wish: Wish) -> Iterator[str]:
    if encoding == WESTERN and wish.encoding is None and (told := told_guess(start_of(path), path.name)):
        yield told


def _notes(path: Path, roles: Roles, samples: Sequence[Any]) -> Iterator[str]:
    if roles.is_file and (told := NamedPictures(path).told(roles.sample, [str(one) for one in samples if one])):
        yield told
    if roles.others:
        names = ", ".join(f"`{name}`" for name in roles.others[:8])
        yield f"The label could be another column as well: {names} (--label COLUMN)."


def _read(path: Path, table: Table, wish: Wish) -> tuple[list[ColumnFacts], dict[str, Sequence[Any]]]:
    """Facts of all columns that can be read, and the values of those that may hold samples."""
    counts = Counter(composed(name) for name in table.names if name)
    names = [name for name in table.names if counts[composed(name)] == 1]
    if len(names) > _MOST_COLUMNS:
        raise DataError(
            f"{path.name} has {len(names)} columns, but graft init looks at {_MOST_COLUMNS} at most; keep those of the "
            "samples and the labels"
        )
    if not names:
        raise DataError(f"{path.name} has no columns, but must have one of samples and one of labels; check it")
    anchor = _anchor(table, [wish.sample] if wish.sample else names)
    facts: list[ColumnFacts] = []
    samples: dict[str, Sequence[Any]] = {name: table.read(name, ())[0] for name in names if table.contents(name)}
    for name, places in samples.items():
        facts.append(ColumnFacts(name, "words", len(places), distinct=len(places), files=1.0))
    names = [name for name in names if name not in samples]
    for start in range(0, len(names), _TOGETHER):
        some = names[start : start + _TOGETHER]
        read = _values(table, anchor, some)
        facts += [ColumnFacts(name, "other", 0) for name in some if name not in read]
        for name, values in read.items():
            found = facts_of(name, values, _is_file())
            facts.append(replace(found, known=share_known(values, wish.known_values)))
            if found.form == "words" or name == wish.sample:
                samples[name] = values
    if named := NamedPictures(path).found_in(table, facts, samples):
        column, texts = named
        facts = [column if one.name == column.name else one for one in facts]
        samples[column.name] = texts
    return facts, samples


def _anchor(table: Table, names: list[str]) -> str:
    """A column that can be read as that of the samples: a table gives no column without one.

    Raises:
        DataError: there is none.
    """
    failed: DataError | None = None
    for name in names:
        try:
            table.read(name, ())
        except DataError as error:
            failed = failed or error
        else:
            return name
    assert failed is not None, "there are names"
    raise failed


def _values(table: Table, anchor: str, names: list[str]) -> dict[str, Coded]:
    """Columns together, or each alone where one of them is of a type that no role takes: it is left out."""
    try:
        return table.read(anchor, names)[1]
    except DataError:
        if len(names) == 1:
            return {}
    return {name: values for one in names for name, values in _values(table, anchor, [one]).items()}


def _is_file() -> Callable[[str], bool]:
    """Whether a text names a file of samples, or is one in base64."""
    from graft.modalities.image.draft import is_named_as_sample
    from graft.modalities.image.sources.cells import are_base64

    def is_file(text: str) -> bool:
        text = text.strip()
        is_path = is_named_as_sample(text) and len(text) < _LONGEST_PATH and "\n" not in text
        return is_path or are_base64([text[:_LONGEST_PATH].encode()])

    return is_file


def _check_header(path: Path, table: Table) -> None:
    names = list(table.names)
    if isinstance(table, DelimitedTable) and sum(map(bool, names)) == 1 and (line := table.wider_line()):
        named = next(name for name in names if name)
        raise DataError(
            f"{path.name} begins with `{named[:40]}` alone, but line {line} has several cells, and the first line must "
            "name a column for each; remove what stands above the names, or quote texts that hold commas"
        )
    if len(names) == 1:
        raise DataError(
            f"{path.name} has the one column `{names[0][:80]}`, but must have one of samples and one of labels; add "
            "one, or separate them with commas"
        )
    if path.suffix.lower() in DELIMITERS and any(_is_value(name) for name in names):
        value = next(name for name in names if _is_value(name))
        raise DataError(
            f"{path.name} begins with `{value[:40]}`, which looks like a value, but must begin with the names of its "
            "columns; put a line such as `text,label` above"
        )


def _check_named(path: Path, values: Mapping[str, Sequence[Any]]) -> None:
    """A column that is called as one of its cells has no name: the first row was taken for that."""
    if path.suffix.lower() not in DELIMITERS:
        return
    coded = {name: cells for name, cells in values.items() if isinstance(cells, Coded)}
    for name, cells in coded.items():
        if name in cells.different:
            again = _header_again(coded)
            if again is not None:
                raise DataError(
                    f"{path.name} holds the names of its columns again in row {again + 1}, but must hold them in its "
                    "first line alone; remove such rows, or put a line such as `text,label` above if these are no names"
                )
            raise DataError(
                f"{path.name} begins with `{name[:40]}`, which is a value of that column further down too, but must "
                "begin with the names of its columns; put a line such as `text,label` above, or leave one out"
            )


def _header_again(columns: Mapping[str, Coded]) -> int | None:
    """The row behind the first in which each column holds its own name; None if there is none, or one column alone."""
    rows = [set(cells.rows(partial(eq, name)).tolist()) for name, cells in columns.items()]
    both = set.intersection(*rows) if len(rows) > 1 else set()
    return min(both - {0}, default=None)


def _is_value(name: str) -> bool:
    """A number, or a sentence: no name that a column has."""
    with contextlib.suppress(ValueError):
        float(name)
        return True
    return len(name) > 60 and len(name.split()) > 6
