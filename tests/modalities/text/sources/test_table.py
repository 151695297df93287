"""Tables: what is read, what every bad one is told in one line."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from graft.core.errors import DataError
from graft.data.listing import Listing, list_samples
from graft.data.split import UNASSIGNED, Split, plan_splits
from graft.data.tables.samples import read_samples
from graft.modalities.text.sources.table import list_text_table
from graft.spec.modalities.table import TableData

ROWS = [{"text": "good, really", "label": "a"}, {"text": "None", "label": "NA"}, {"text": "two\nlines", "label": "b"}]


def listed(path: Path, content: str | bytes = b"", **changes: Any) -> Listing:
    if content:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_text_table(TableData(**({"path": path, "text": "text", "label": "label"} | changes)))


def write(path: Path, columns: Mapping[str, Any]) -> Path:
    table = pa.table(dict(columns))
    match path.suffix:
        case ".parquet":
            parquet.write_table(table, path)
        case ".feather":
            feather.write_feather(table, path)
        case ".arrow":
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
    return path


def written(directory: Path, suffix: str) -> Path:
    path = directory / f"reviews{suffix}"
    if suffix in (".csv", ".tsv"):
        mark = "," if suffix == ".csv" else "\t"
        lines = [mark.join(("other", "text", "label")), *(f'7{mark}"{r["text"]}"{mark}{r["label"]}' for r in ROWS)]
        path.write_text("\n".join(lines) + "\n")
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n\n" for row in ROWS))
    else:
        write(path, {name: [row[name] for row in ROWS] for name in ROWS[0]})
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".arrow"])
def test_every_form_reads_the_same(suffix: str, tmp_path: Path) -> None:
    path = written(tmp_path, suffix)
    told: list[int] = []
    listing = list_text_table(TableData(path=path, text="text", label="label"), told.append)
    assert list(listing.sources) == [row["text"].encode() for row in ROWS]
    assert [listing.sources[index] for index in range(3)] == list(listing.sources[0:3])
    assert listing.targets.values.tolist() == ["a", "NA", "b"]
    assert listing.targets.columns == ("label",)
    assert listing.ids == tuple(f"reviews{suffix}:{row}" for row in (1, 2, 3))
    assert listing.given.tolist() == [UNASSIGNED] * 3
    assert listing.facts["text_column"] == "text"
    assert told == [3]
    assert read_samples(path, ("nothing", "text"), "utf-8") == [row["text"] for row in ROWS]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text,label\na,1\nb,2.5\n", np.array([1.0, 2.5])),
        ("text,label\na,1\nb,x\n", np.array(["1", "x"], dtype=object)),
        ("text,label\na,nan\nb,inf\n", np.array(["nan", "inf"], dtype=object)),
        ("text,label\na,2020-01-01\nb,2020-01-02\n", np.array(["2020-01-01", "2020-01-02"], dtype=object)),
        ("text,label\na,true\nb,false\n", np.array(["true", "false"], dtype=object)),
    ],
)
def test_labels_are_numbers_or_texts(content: str, expected: np.ndarray, tmp_path: Path) -> None:
    values = listed(tmp_path / "a.csv", content).targets.values
    assert isinstance(values, np.ndarray) == (expected.dtype != object)
    assert values.tolist() == expected.tolist()


def test_several_label_columns_are_several_targets(tmp_path: Path) -> None:
    targets = listed(tmp_path / "a.csv", "text,x,y\na,1,2\nb,3,4\n", label=["y", "x"]).targets
    assert targets.columns == ("y", "x")
    assert targets.values.tolist() == [[2.0, 1.0], [4.0, 3.0]]
    assert targets.values.dtype == np.float64


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_lists_stay_lists(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    rows = {"text": ["a", "b"], "label": [["x", "y"], []]}
    if suffix == ".jsonl":
        path.write_text(
            "".join(json.dumps(dict(zip(rows, row, strict=True))) + "\n" for row in zip(*rows.values(), strict=True))
        )
    else:
        write(path, rows)
    assert listed(path).targets.values.tolist() == [["x", "y"], []]


def test_a_column_says_the_split(tmp_path: Path) -> None:
    listing = listed(tmp_path / "a.csv", "text,label,s\na,1,Train\nb,1,val\nc,2,TEST\nd,1,validation\n", split="s")
    assert listing.given.tolist() == [UNASSIGNED, Split.VALIDATION, Split.TEST, Split.VALIDATION]


def test_a_column_without_validation_rows_leaves_them_to_be_drawn_from_training(tmp_path: Path) -> None:
    rows = "".join(f"a,{row % 2},{'test' if row < 10 else 'train'}\n" for row in range(60))
    listing = listed(tmp_path / "a.csv", f"text,label,s\n{rows}", split="s")
    settings = TableData(path=tmp_path / "a.csv", text="text", label="label", split="s")
    codes = plan_splits(listing.given, np.arange(60) % 2, settings, ["0", "1"])
    assert np.bincount(codes).tolist() == [40, 10, 10]
    assert np.all(codes[:10] == Split.TEST)


def test_identity_changes_with_the_file_and_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    first = listed(path, "text,label,other\na,1,2\n").identity
    assert listed(path).identity == first
    assert listed(path, label="other").identity != first
    assert listed(path, "text,label,other\nab,1,2\n").identity != first


def test_a_long_text_is_read_whole(tmp_path: Path) -> None:
    # Longer than a block of the parser.
    long = "word " * 4_000_000
    listing = listed(tmp_path / "a.csv", f"text,label\nshort,a\n{long},b\n")
    assert [len(text) for text in listing.sources] == [5, len(long)]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("text,label\né,a\n".encode("cp1252"), "cp1252"),
        ("text,label\né,a\n".encode("utf-16"), "utf-16"),
        ("text,label\né,a\n".encode("utf-8-sig"), "utf-8"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_encodings(content: bytes, encoding: str, suffix: str, tmp_path: Path) -> None:
    if suffix == ".jsonl":
        name = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else encoding
        content = '{"text":"é","label":"a"}\n'.encode(name)
    assert list(listed(tmp_path / f"a{suffix}", content, encoding=encoding).sources) == ["é".encode()]


def test_a_part_does_not_take_all_along(tmp_path: Path) -> None:
    content = "text,label\n" + "".join(f"{'word ' * 100},{row}\n" for row in range(1000))
    sources = listed(tmp_path / "a.csv", content).sources
    assert list(sources[5:7]) == [sources[5], sources[6]]
    assert len(sources[-1]) == 500
    assert len(pickle.dumps(sources[5:7])) < 2000 < len(pickle.dumps(sources))
    assert list(pickle.loads(pickle.dumps(sources))) == list(sources)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv", 'text;label\n"a;1";3,5\nb, c;4,5\n'),
        (".csv", 'sep=;\r\ntext;label\r\n"a;1";3,5\r\nb, c;4,5\r\n'),
        (".csv", "\n\ntext|label\na;1|3,5\nb, c|4,5\n"),
        (".csv", 'text\tlabel\na;1\t"3,5"\nb, c\t"4,5"\n'),
        (".tsv", 'text,label\n"a;1","3,5"\n"b, c","4,5"\n'),
    ],
)
def test_what_stands_between_the_columns_is_told_by_the_header(suffix: str, content: str, tmp_path: Path) -> None:
    listing = listed(tmp_path / f"a{suffix}", content)
    assert list(listing.sources) == [b"a;1", b"b, c"]
    assert list(listing.targets.values) == ["3,5", "4,5"]


def test_an_empty_field_is_an_empty_text(tmp_path: Path) -> None:
    assert list(listed(tmp_path / "a.csv", 'text,label\n,a\n"",b\n').sources) == [b"", b""]
    assert list(listed(write(tmp_path / "a.parquet", {"text": [None, "x"], "label": [1, 2]})).sources) == [b"", b"x"]


BAD: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "no such column": (
        ".csv",
        "txet,label\na,1\n",
        {},
        "no column `text`, but must have it; its columns are `txet`, `label`; did you mean `txet`",
    ),
    "no such columns": (
        ".csv",
        "txet,lable,x\na,1,2\n",
        {},
        "has no columns `text` and `label`, but must have them; its columns are `txet`, `lable`, `x`; did you mean "
        "`txet` and `lable`",
    ),
    "fewer fields of another separator": (
        ".csv",
        "sep=;\ntext;label\na\n",
        {},
        "line 3 has 1 field, but the header has 2; quote texts that hold `;`",
    ),
    "no such key": (".jsonl", '{"text":"a","lable":1}\n', {}, "has no column `label`.*did you mean `lable`"),
    "twice": (".csv", "text,label,text\na,1,b\n", {}, "has 2 columns `text`, but must have one; rename"),
    "named twice": (".csv", "text,label\na,1\n", {"label": "text"}, "column `text` is named twice in data"),
    "more fields": (".csv", 'text,label\n"a\nb",1\n\nc,1,1\n', {}, "line 5 has 3 fields, but the header has 2; quote"),
    "fewer fields": (
        ".tsv",
        "text\tlabel\nab\n",
        {},
        "line 2 has 1 field, but the header has 2; quote texts that hold tabs",
    ),
    "open quote": (".csv", 'text,label\na,1\n"b,2\nc,3\n', {}, "line 3 has 1 field.*close every quote"),
    "numbers": (".csv", "text,label\n1,1\n2.5,2\n", {}, "column `text` of a.csv holds numbers, but must hold texts"),
    "a number": (
        ".jsonl",
        '{"text":"a","label":1}\n{"text":3,"label":1}\n',
        {},
        "`text` of a.jsonl is a number in row 2",
    ),
    "no label": (
        ".csv",
        "text,label\na,\nb,  \n",
        {},
        r"column `label` of a.csv is empty in every row, but some must have a label; fill it",
    ),
    "no label in JSON": (".jsonl", '{"text":"a","label":null}\n{"text":"b"}\n', {}, "a.jsonl is empty in every"),
    "no label in any of two columns": (
        ".csv",
        "text,a,b\nx,1,\ny,,2\n",
        {"label": ["a", "b"]},
        "one of the 2 label columns of a.csv is empty in every row",
    ),
    "mixed behind a missing one": (
        ".jsonl",
        '{"text":"a"}\n{"text":"a","label":1}\n{"text":"c"}\n{"text":"b","label":"x"}\n',
        {},
        "is a text in row 4 .`x`., but a number in row 2",
    ),
    "mixed": (
        ".jsonl",
        '{"text":"a","label":1}\n{"text":"b","label":"x"}\n',
        {},
        "is a text in row 2 .`x`., but a number",
    ),
    "a list in some rows": (".jsonl", '{"text":"a","label":["x"]}\n{"text":"b","label":"x"}\n', {}, "a list in row 1"),
    "an object": (
        ".jsonl",
        '{"text":"a","label":{"b":1}}\n',
        {},
        "is an object in row 1, but must be a number, a text",
    ),
    "a list of lists": (".jsonl", '{"text":"a","label":[["x"]]}\n', {}, "in the list of row 1, but must hold texts"),
    "infinite": (".jsonl", '{"text":"a","label":Infinity}\n', {}, "is inf in row 1, but must be finite"),
    "a key twice": (
        ".jsonl",
        '{"text":"a","label":1}\n{"text":"b","label":1,"label":2}\n',
        {},
        "line 2 gives the key `label` twice",
    ),
    "no JSON": (".jsonl", '{"text":"a","label":1}\n{"text":\n', {}, "line 2 is no JSON"),
    "no object": (".jsonl", "[1]\n", {}, "line 1 is a list, but must be an object"),
    "deep": (".jsonl", "[" * 100_000 + "\n", {}, "line 1 is no JSON"),
    "other bytes": (
        ".csv",
        b"text,label\na,1\n\n\xe9t\xe9,2\n",
        {},
        "line 4 is not UTF-8 text .byte 17 of the file is 0xe9.*`data.encoding: cp",
    ),
    "other bytes in JSON": (".jsonl", b'{"text":"\xe9","label":1}\n', {}, "line 1 is not UTF-8 text"),
    "bytes of no encoding": (".csv", b"text,label\n\x81,1\n", {"encoding": "cp1252"}, "line 2 is not cp1252 text"),
    "UTF-16": (".csv", "text,label\na,1\n".encode("utf-16"), {}, "is UTF-16 text, but data.encoding is utf-8; set"),
    "NUL": (".csv", b"text,label\na,1\nb\0,2\n", {}, "line 3 holds a NUL character"),
    "no encoding": (
        ".csv",
        "text,label\na,1\n",
        {"encoding": "klingon"},
        "data.encoding is `klingon`, but must be one",
    ),
    "no text encoding": (".csv", "text,label\na,1\n", {"encoding": "base64"}, "data.encoding is `base64`, but must"),
    "no rows": (".csv", "text,label\n", {}, "holds no rows"),
    "no header": (".csv", "\n", {}, "has no columns `text` and `label`, .* its columns are none at all"),
    "unknown split": (
        ".csv",
        "text,label,s\na,1,fold1\n",
        {"split": "s"},
        "`s` of a.csv is `fold1` in row 1, but must be train",
    ),
    "empty split": (".csv", "text,label,s\na,1,\n", {"split": "s"}, "`s` of a.csv is empty in row 1"),
    "damaged Parquet": (".parquet", b"PAR1 garbage PAR1", {}, "is damaged or of another form than its name says"),
    "damaged Arrow": (".arrow", b"ARROW1 garbage", {}, "is damaged or of another form than its name says"),
    "unknown suffix": (".xlsx", b"PK", {}, "ends in `.xlsx`, but must end in one of .csv"),
}


@pytest.mark.parametrize(
    ("suffix", "content", "values"),
    [
        (".csv", "text,label,who\na,,p\nb,x,q\nc,  ,\nd,y,r\n,,\n,x,q\n", ["x", "y", "x"]),
        (".csv", "text,label,who\na,,p\nb,1,q\nc,  ,\nd,2.5,r\n,,\n,1,q\n", [1.0, 2.5, 1.0]),
        (".jsonl", '{"text":"a","who":"p"}\n{"text":"b","label":["x"],"who":"q"}\n', [["x"]]),
    ],
)
def test_rows_without_a_label_are_left_out_and_counted(
    suffix: str, content: str, values: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(content)
    found = list_samples(TableData(path=path, text="text", label="label", group="who"))
    assert found.targets.values.tolist() == values
    assert found.groups is not None
    assert (len(found), len(found.given), len(found.groups)) == (len(values),) * 3
    assert (found.ids[0], found.sources[0], found.keys[0], found.groups[0]) == (f"a{suffix}:2", b"b", b"b", "q")  # type: ignore[index]
    reasons = {one.reason: (one.count, one.examples[0]) for one in (*found.ignored, *found.unreadable)}
    rows = 4 if suffix == ".jsonl" else 6
    assert reasons.pop("row without a label") == (1 if rows == 4 else 3, f"a{suffix}:1")
    assert reasons == ({} if rows == 4 else {"row without a text": (1, "a.csv:6")})


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_gets_one_line(case: str, tmp_path: Path) -> None:
    suffix, content, changes, told = BAD[case]
    with pytest.raises(DataError, match=told) as raised:
        listed(tmp_path / f"a{suffix}", content, **changes)
    assert "\n" not in str(raised.value)


def test_a_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing there; check the path$"):
        listed(tmp_path / "a.csv")
    with pytest.raises(DataError, match="must be a file, not a directory"):
        listed(tmp_path)
    (tmp_path / "b.csv").touch()
    with pytest.raises(DataError, match=r"b\.csv is empty"):
        listed(tmp_path / "b.csv")


class Boom:
    """What is unpickled by mistake, leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
@pytest.mark.parametrize("nested", [False, True])
def test_extension_types_are_refused_unread(suffix: str, nested: bool, tmp_path: Path) -> None:
    from ray.data._internal.object_extensions.arrow import ArrowPythonObjectArray

    trace = tmp_path / "trace"
    objects: pa.Array = ArrowPythonObjectArray.from_objects([Boom(trace), Boom(trace)])
    if nested:
        objects = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), objects)
    for label, text in ((objects, ["a", "b"]), ([1, 2], objects)):
        path = write(tmp_path / f"a{suffix}", {"text": text, "label": label})
        with pytest.raises(DataError, match=r"is of the extension type .*, but must be a plain one"):
            listed(path)
    assert not trace.exists()


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_of_all_forms(kind: pa.DataType, tmp_path: Path) -> None:
    texts = pa.chunked_array([pa.array(["a", None], kind), pa.array([], kind), pa.array(["é"], kind)])
    path = write(tmp_path / "a.arrow", {"text": texts, "label": texts.cast(pa.string()).fill_null("x").cast(kind)})
    listing = listed(path)
    assert list(listing.sources) == [b"a", b"", "é".encode()]
    assert listing.targets.values.tolist() == ["a", "x", "é"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, 2]).cast(pa.decimal128(21, 1)), [1.0, 2.0]),
        (pa.array([1, 2], pa.float16()), [1.0, 2.0]),
        (pa.array([True, False]), ["true", "false"]),
    ],
)
def test_labels_of_all_forms(values: pa.Array, expected: list[Any], tmp_path: Path) -> None:
    assert (
        listed(write(tmp_path / "a.parquet", {"text": ["a", "b"], "label": values})).targets.values.tolist() == expected
    )


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("label", [{"a": 1}, {"a": 2}], "`label` of a.parquet is struct<a: int64>, but must be numbers"),
        ("label", [b"a", b"b"], "`label` of a.parquet is binary, but must be numbers"),
        ("text", [b"a", b"b"], "`text` of a.parquet holds bytes, but must be text"),
        ("text", [1, 2], "`text` of a.parquet is int64, but must be text"),
    ],
)
def test_other_types_are_refused(column: str, values: list[Any], told: str, tmp_path: Path) -> None:
    columns = {"text": ["a", "b"], "label": [1, 2]} | {column: values}
    with pytest.raises(DataError, match=told):
        listed(write(tmp_path / "a.parquet", columns))


@pytest.mark.parametrize("form", ["{}.txt", "notes/{}.txt", "./notes/{}.txt", "notes\\{}.txt"])
def test_names_of_files_beside_the_table_are_no_texts(form: str, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for name in "abc":
        for folder in (tmp_path, tmp_path / "notes"):
            (folder / f"{name}.txt").write_text("a text")
    rows = [f"{form.format(name)},{label}" for name, label in zip("abc", "xyx", strict=True)]
    with pytest.raises(
        DataError, match=r"column `text` of t.csv holds the names of files, such as `.*a.txt`, but must"
    ):
        listed(tmp_path / "t.csv", "text,label\n" + "\n".join(rows))
    assert len(listed(tmp_path / "t.csv", "text,label\n" + "\n".join([*rows, "gone.txt,y"]))) == 4
