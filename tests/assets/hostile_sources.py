"""Makes broken and hostile sources of every kind, and says what must come of each: nothing of it is stored.

`python -m tests.assets.hostile_sources DIRECTORY` writes them all, to be looked at.
"""

import base64
import io
import json
import os
import pickle
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import feather, parquet
from tests.fixtures.archives import write_tar

Section = dict[str, Any]


@dataclass(frozen=True)
class Hostile:
    """A source that cannot be used, or of which some samples cannot.

    Attributes:
        name: of the case.
        make: writes it into a directory and gives the section `data`.
        told: what its one error says; or why samples are left out, where it has `unreadable` ones.
        unreadable: how many samples are left out of a source that can be used.
    """

    name: str
    make: Callable[[Path], Section]
    told: str
    unreadable: int = 0


def picture(side: int = 4) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(side * side * 3, dtype=np.uint8).reshape(side, side, 3)).save(stream, "PNG")
    return stream.getvalue()


def giant() -> bytes:
    """A PNG of a few bytes that says it has 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


class Boom:
    """Ends the process if anything unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (99,)


# ---------------------------------------------------------------------------------------------------------------- tar

PAIR = [("1.png", picture()), ("1.cls", b"a"), ("2.png", picture(5)), ("2.cls", b"b")]


def shard(path: Path, change: Callable[[bytes], bytes] = bytes, members: Any = PAIR) -> Section:
    file = write_tar(path / "a.tar", members)
    file.write_bytes(change(file.read_bytes()))
    return {"kind": "webdataset", "path": str(file), "image": "png"}


def with_header(change: Callable[[tarfile.TarInfo], None], body: bytes = b"") -> Callable[[Path], Section]:
    """A shard that begins with a member of a strange kind."""

    def make(path: Path) -> Section:
        strange = tarfile.TarInfo("0.png")
        strange.size = len(body)
        change(strange)
        header = strange.tobuf(tarfile.GNU_FORMAT)
        return shard(path, lambda content: header + body.ljust(-(-len(body) // 512) * 512, b"\0") + content)

    return make


def sized(value: bytes, kind: bytes = tarfile.REGTYPE) -> Callable[[Path], Section]:
    """A shard whose first header says any size: `value` stands in its field of 12 bytes."""

    def make(path: Path) -> Section:
        header = bytearray(tarfile.TarInfo("0.png").tobuf(tarfile.GNU_FORMAT))
        header[124:136], header[156:157] = value, kind
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        return shard(path, lambda content: bytes(header) + content)

    return make


def link(strange: tarfile.TarInfo) -> None:
    strange.type, strange.linkname = tarfile.SYMTYPE, "/etc/passwd"


def device(strange: tarfile.TarInfo) -> None:
    strange.type = tarfile.CHRTYPE


def climbing(strange: tarfile.TarInfo) -> None:
    strange.name = "../../../../tmp/0.png"


def pipe_for_a_shard(path: Path) -> Section:
    os.mkfifo(path / "a.tar")
    return {"kind": "webdataset", "path": str(path / "a.tar"), "image": "png"}


def folder_that_leads_back(path: Path) -> Section:
    (path / "a").mkdir()
    os.symlink(path, path / "a" / "up")
    return {"kind": "webdataset", "path": str(path), "image": "png"}


def links_in_a_circle(path: Path) -> Section:
    os.symlink(path / "b.tar", path / "a.tar")
    os.symlink(path / "a.tar", path / "b.tar")
    return {"kind": "webdataset", "path": str(path / "a.tar"), "image": "png"}


NEGATIVE = b"\xff" * 12
HUGE = b"\x80" + (2**60).to_bytes(11, "big")

SHARDS = [
    Hostile("tar of nothing", lambda p: shard(p, lambda _: b""), "is empty, but must be a tar"),
    Hostile("tar of zeros", lambda p: shard(p, lambda _: bytes(10240)), "lack a member"),
    Hostile("tar that is a text", lambda p: shard(p, lambda _: b"hello " * 200), "is no tar archive"),
    Hostile("tar that is gzipped", lambda p: shard(p, lambda c: zlib.compress(c, wbits=31)), "is compressed.*gzip -d"),
    Hostile("tar cut in a member", lambda p: shard(p, lambda c: c[:530]), "ends inside `1.png`"),
    Hostile("tar cut in a header", lambda p: shard(p, lambda c: c[:1100]), "ends inside a header"),
    Hostile(
        "tar damaged in the middle", lambda p: shard(p, lambda c: c[:1024] + b"\xff" * 512 + c[1536:]), "is damaged"
    ),
    Hostile("tar with a negative size", sized(NEGATIVE), "ends inside `0.png`|is damaged|is no tar"),
    Hostile("tar with a name of negative size", sized(NEGATIVE, b"L"), "ends inside|is damaged|is no tar"),
    Hostile("tar with a name of an exabyte", sized(HUGE, b"L"), "ends inside|extended header of"),
    Hostile("tar with pax of an exabyte", sized(HUGE, b"x"), "ends inside|extended header of"),
    Hostile("tar with a member of an exabyte", sized(HUGE), "ends inside `0.png`"),
    Hostile(
        "tar with a pax size",
        with_header(lambda t: setattr(t, "type", b"x"), b"22 size=99999999999999\n"),
        "no sample is",
    ),
    Hostile(
        "tar with a long pax", with_header(lambda t: setattr(t, "type", b"x"), bytes(2 << 20)), "extended header of"
    ),
    Hostile(
        "tar of pickles",
        lambda p: shard(p, members=[("1.pkl", pickle.dumps(Boom())), ("1.cls", b"a")]),
        "lack a member",
    ),
    Hostile(
        "tar with a label of megabytes", lambda p: shard(p, members=[*PAIR[:1], ("1.cls", b"1" * 2**20)]), "has 1048576"
    ),
    Hostile("tar with a binary label", lambda p: shard(p, members=[*PAIR[:1], ("1.cls", b"\xff\xfe")]), "no UTF-8"),
    Hostile(
        "tar with half of its keys apart", lambda p: shard(p, members=PAIR[::2] + PAIR[1::2]), "2 of 2|lack a member"
    ),
    Hostile("pipe named .tar", pipe_for_a_shard, "must name regular files"),
    Hostile("links in a circle", links_in_a_circle, "nothing there"),
    Hostile("folder that leads back", folder_that_leads_back, "holds no .tar"),
    Hostile(
        "pattern of a billion shards",
        lambda p: {"kind": "webdataset", "path": f"{p}/{{0..999999999}}.tar", "text": "txt"},
        "more than 100000",
    ),
    Hostile(
        "shard with a giant",
        lambda p: shard(p, members=[*PAIR, ("3.png", giant()), ("3.cls", b"a")]),
        "40000 x 40000|more pixels",
        1,
    ),
    Hostile(
        "shard with a damaged image",
        lambda p: shard(p, members=[*PAIR, ("3.png", picture()[:40]), ("3.cls", b"a")]),
        "is damaged",
        1,
    ),
    Hostile(
        "shard with an empty image", lambda p: shard(p, members=[*PAIR, ("3.png", b""), ("3.cls", b"a")]), "is empty", 1
    ),
    Hostile("shard with a link", with_header(link), "", 0),
    Hostile("shard with a device", with_header(device), "", 0),
    Hostile("shard with a member that climbs out", with_header(climbing, b"x"), "", 0),
]

# ------------------------------------------------------------------------------------------------------------- arrays

Y = np.arange(4) % 2


def npy(values: np.ndarray, header: str | None = None) -> bytes:
    text = header or repr({"descr": values.dtype.str, "fortran_order": False, "shape": values.shape})
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n" + values.tobytes()


def arrays(path: Path, images: bytes, method: int = zipfile.ZIP_DEFLATED, name: str = "x.npy") -> Section:
    with zipfile.ZipFile(path / "a.npz", "w", method) as archive:
        archive.writestr(name, images)
        archive.writestr("y.npy", npy(Y))
    return {"kind": "numpy", "path": str(path / "a.npz")}


def pickled(path: Path) -> Section:
    np.savez(path / "a.npz", x=np.array([Boom()] * 4, dtype=object), y=Y)
    return {"kind": "numpy", "path": str(path / "a.npz")}


def bare(path: Path, content: bytes) -> Section:
    (path / "a.npz").write_bytes(content)
    return {"kind": "numpy", "path": str(path / "a.npz")}


ZEROS = np.zeros((4, 3, 3), np.uint8)
SHAPED = "{{'descr': '|u1', 'fortran_order': False, 'shape': {}}}"

ARRAYS = [
    Hostile("archive of objects", pickled, "holds Python objects"),
    Hostile("archive that is a pickle", lambda p: bare(p, pickle.dumps(Boom())), "no array of NumPy"),
    Hostile("archive cut off", lambda p: bare(p, b"PK\x03\x04" + bytes(50)), "no array of NumPy"),
    Hostile("header that is code", lambda p: arrays(p, npy(ZEROS, "__import__('os')._exit(9)")), "no array of NumPy"),
    Hostile("header nested without end", lambda p: arrays(p, npy(ZEROS, "[" * 9000)), "no array of NumPy"),
    Hostile(
        "array of an exabyte",
        lambda p: arrays(p, npy(ZEROS, SHAPED.format((4, 2**30, 2**30)))),
        "but an archive may hold",
    ),
    Hostile("array of a negative size", lambda p: arrays(p, npy(ZEROS, SHAPED.format((4, -3, 3)))), "its shape is"),
    Hostile("array shorter than it says", lambda p: arrays(p, npy(ZEROS, SHAPED.format((4, 300, 3)))), "holds only 36"),
    Hostile(
        "array of structures",
        lambda p: arrays(p, npy(ZEROS, "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (9,)}")),
        "must be of numbers|is of type",
    ),
    Hostile(
        "array whose name climbs out", lambda p: arrays(p, npy(ZEROS), name="../../x.npy"), "leads out of the archive"
    ),
    Hostile("array of negative numbers", lambda p: arrays(p, npy(-np.ones((4, 3, 3)))), "must have 0 to 1"),
    Hostile("array of infinities", lambda p: arrays(p, npy(np.full((4, 3, 3), np.inf))), "must have 0 to 1"),
    Hostile(
        "array of giants", lambda p: arrays(p, npy(np.zeros((4, 1, 60_000_000), np.uint8))), "more than data.max_pixels"
    ),
]

# ------------------------------------------------------------------------------------------------------------- tables


def table(path: Path, name: str, content: bytes | str, **section: Any) -> Section:
    (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return {"kind": "table", "path": str(path / name), "text": "text", "label": "label", **section}


def columns(path: Path, name: str, samples: Any, change: Callable[[bytes], bytes] = bytes, **section: Any) -> Section:
    count = len(samples)
    labels = repeated("a", count) if count > 10_000 else pa.array([f"c{number % 2}" for number in range(count)])
    made = pa.table({"text": samples, "label": labels})
    if name.endswith(".parquet"):
        parquet.write_table(made, path / name, compression="zstd")
    else:
        feather.write_feather(made, path / name)
    return table(path, name, change((path / name).read_bytes()), **section)


def feather_of_zeros(path: Path, size: int) -> Section:
    """A Feather file of kilobytes that becomes a column of megabytes."""
    table_ = pa.table({"text": pa.array(["\0" * size, "b"]), "label": ["a", "b"]})
    feather.write_feather(table_, path / "a.feather", compression="zstd")
    return table(path, "a.feather", (path / "a.feather").read_bytes())


def feather_that_lies(path: Path) -> Section:
    """A Feather file whose first buffer says that it unpacks to an exabyte."""
    feather_of_zeros(path, 100_000)
    content = (path / "a.feather").read_bytes()
    said = struct.pack("<q", 100_001)
    return table(path, "a.feather", content.replace(said, struct.pack("<q", 2**60)))


def repeated(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


def of_bytes(path: Path, cells: list[bytes | None]) -> Section:
    return columns(path, "a.parquet", pa.array(cells, pa.binary()), text=None, image="text")


def of_paths(path: Path, make: Callable[[Path], str]) -> Section:
    (path / "good.png").write_bytes(picture())
    rows = "".join(f"{name},{'ab'[number % 2]}\n" for number, name in enumerate(["good.png"] * 4 + [make(path)]))
    return table(path, "a.csv", "text,label\n" + rows, text=None, image="text")


def pipe(path: Path) -> str:
    os.mkfifo(path / "pipe.png")
    return "pipe.png"


def circle(path: Path) -> str:
    os.symlink(path / "circle.png", path / "circle.png")
    return "circle.png"


def folder(path: Path) -> str:
    (path / "folder.png").mkdir()
    return "folder.png"


MEGABYTE = "x" * 1024**2
OPEN = 'text,label\n"never closed,a\n' + "word,b\n" * 30

TABLES = [
    Hostile("record batch of an exabyte", feather_that_lies, "a record batch of it unpacks to"),
    Hostile(
        "page that unpacks to 300 MB",
        lambda p: columns(p, "a.parquet", repeated(MEGABYTE * 300, 2)),
        "MiB in one piece",
    ),
    Hostile(
        "rows that unpack to 2 GB", lambda p: columns(p, "a.parquet", repeated(MEGABYTE, 2000)), "unpacks to more than"
    ),
    Hostile(
        "more rows than bytes",
        lambda p: columns(p, "a.parquet", pa.nulls(30_000_000, pa.string())),
        "more than fit",
    ),
    Hostile("cell of 65 MB", lambda p: columns(p, "a.feather", pa.array([MEGABYTE * 65, "b"])), "65 MiB in row 1"),
    Hostile(
        "Parquet cut off", lambda p: columns(p, "a.parquet", pa.array(["a", "b"]), lambda c: c[:-20]), "is damaged"
    ),
    Hostile("Parquet without a footer", lambda p: table(p, "a.parquet", b"PAR1" + bytes(200)), "is damaged"),
    Hostile(
        "Parquet with a damaged footer",
        lambda p: columns(p, "a.parquet", pa.array(["a", "b"]), lambda c: c[:-60] + b"\xff" * 40 + c[-20:]),
        "is damaged",
    ),
    Hostile(
        "Feather cut off", lambda p: columns(p, "a.feather", pa.array(["a", "b"]), lambda c: c[:-30]), "is damaged"
    ),
    Hostile(
        "quote that is never closed", lambda p: table(p, "a.csv", OPEN), "close every quote|cannot be read|no rows"
    ),
    Hostile("line of 70 MB", lambda p: table(p, "a.csv", f"text,label\n{MEGABYTE * 70},a\n"), "longer than 64 MiB"),
    Hostile(
        "cell of 130 MB in many lines",
        lambda p: table(p, "a.csv", f'text,label\nok,b\n"{(MEGABYTE[:-1] + chr(10)) * 130}",a\n'),
        "more than 64 MiB|130 MiB in row 2",
    ),
    Hostile("CSV with NUL", lambda p: table(p, "a.csv", "text,label\na\0b,c\n"), "NUL"),
    Hostile("CSV in UTF-16", lambda p: table(p, "a.csv", "text,label\na,b\n".encode("utf-16")), "is UTF-16"),
    Hostile("CSV of Latin-1", lambda p: table(p, "a.csv", b"text,label\ncaf\xe9,b\n"), "is not UTF-8"),
    Hostile(
        "CSV with one column twice", lambda p: table(p, "a.csv", "text,text,label\na,b,c\n"), "has 2 columns `text`"
    ),
    Hostile("CSV with ragged rows", lambda p: table(p, "a.csv", "text,label\na,b\nc,d,e\n"), "line 3 has 3 fields"),
    Hostile(
        "CSV of a million columns",
        lambda p: table(p, "a.csv", ",".join(f"c{n}" for n in range(1_000_000)) + "\n"),
        "columns, but may have",
    ),
    Hostile("JSONL nested without end", lambda p: table(p, "a.jsonl", '{"text": ' + "[" * 100_000), "is no JSON"),
    Hostile("JSONL of lists", lambda p: table(p, "a.jsonl", '["a", "b"]\n'), "is a list"),
    Hostile(
        "JSONL with NaN labels", lambda p: table(p, "a.jsonl", '{"text": "a", "label": NaN}\n'), "is empty in every row"
    ),
    Hostile(
        "JSONL with endless numbers", lambda p: table(p, "a.jsonl", '{"text": "a", "label": 1e999}\n'), "must be finite"
    ),
    Hostile("table of a suffix for nothing", lambda p: table(p, "a.xlsx", b"PK\x03\x04"), "must end in one of"),
    Hostile(
        "table that is a folder",
        lambda p: {"kind": "table", "path": str(p), "text": "a", "label": "b"},
        "not a directory",
    ),
    Hostile(
        "bytes that are no image",
        lambda p: of_bytes(p, [picture(), picture(5), b"GIF89a", b"text", None]),
        "damaged|is text|is empty",
        3,
    ),
    Hostile("bytes with a giant", lambda p: of_bytes(p, [picture(), giant()]), "40000 x 40000|more pixels", 1),
    Hostile(
        "base64 that is none",
        lambda p: table(
            p,
            "a.csv",
            "text,label\n"
            + "".join(
                f'"data:image/png;base64,{cell}",{"ab"[n % 2]}\n'
                for n, cell in enumerate([base64.b64encode(picture()).decode(), "@@@@", "aGk="])
            ),
            text=None,
            image="text",
        ),
        "is no base64|is text",
        2,
    ),
    Hostile("path to a pipe", lambda p: of_paths(p, pipe), "not a regular file", 1),
    Hostile("path to a device", lambda p: of_paths(p, lambda _: "/dev/zero"), "not a regular file", 1),
    Hostile("path that is a link to itself", lambda p: of_paths(p, circle), "symbolic links|cannot be read", 1),
    Hostile("path to a folder", lambda p: of_paths(p, folder), "not a regular file", 1),
    Hostile("path of 5,000 letters", lambda p: of_paths(p, lambda _: "a" * 5000), "name too long|cannot be read", 1),
]

# ------------------------------------------------------------------------------------------------ other sets of images


def saved(path: Path, state: Any, content: bytes = b"") -> Section:
    (path / "state.json").write_text(state if isinstance(state, str) else json.dumps(state))
    (path / "data-00000-of-00001.arrow").write_bytes(content)
    return {"kind": "huggingface", "path": str(path), "image": "image"}


def stream(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


STATE = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
BATCH = pa.record_batch({"image": [picture(), b"no image"], "label": ["a", "b"]})


def coco(path: Path, content: Any) -> Section:
    (path / "a.json").write_text(content if isinstance(content, str) else json.dumps(content))
    (path / "0.png").write_bytes(picture())
    return {"kind": "coco", "path": str(path / "a.json")}


ANNOTATED: Mapping[str, Any] = {
    "images": [{"id": 0, "file_name": "0.png"}],
    "annotations": [{"image_id": 0, "category_id": 0}],
    "categories": [{"id": 0, "name": "a"}],
}


def zipped(path: Path) -> Section:
    with zipfile.ZipFile(path / "photos.zip", "w") as archive:
        archive.writestr("../../cat/0.png", picture())
    return {"kind": "image_folder", "path": str(path / "photos.zip")}


OTHERS = [
    Hostile("saved set of no JSON", lambda p: saved(p, "{"), "is no JSON"),
    Hostile("saved set nested without end", lambda p: saved(p, "[" * 100_000), "is no JSON"),
    Hostile(
        "saved set that names a file elsewhere",
        lambda p: saved(p, {"_data_files": [{"filename": "../../etc/passwd"}]}),
        "names no files",
    ),
    Hostile("saved set of an empty file", lambda p: saved(p, STATE), "is damaged"),
    Hostile("saved set of noise", lambda p: saved(p, STATE, bytes(range(256)) * 9), "is damaged"),
    Hostile("saved set cut off", lambda p: saved(p, STATE, stream(BATCH)[:500]), "is damaged"),
    Hostile("saved set with an image that is none", lambda p: saved(p, STATE, stream(BATCH)), "is text", 1),
    Hostile("annotations of no JSON", lambda p: coco(p, '{"images":'), "is no JSON"),
    Hostile("annotations nested without end", lambda p: coco(p, "[" * 100_000), "is no JSON"),
    Hostile("annotations of a list", lambda p: coco(p, [1]), "is a list"),
    Hostile("annotations of numbers", lambda p: coco(p, {**ANNOTATED, "images": [1]}), "no list of objects"),
    Hostile(
        "annotations of a category that is none",
        lambda p: coco(p, {**ANNOTATED, "annotations": [{"image_id": 0, "category_id": [9]}]}),
        "of category",
    ),
    Hostile(
        "annotations of a file without a name",
        lambda p: coco(p, {**ANNOTATED, "images": [{"id": 0, "file_name": 7}, *ANNOTATED["images"]]}),
        "has no `file_name`",
    ),
    Hostile(
        "annotations of files elsewhere",
        lambda p: coco(p, {**ANNOTATED, "images": [{"id": 0, "file_name": "\0"}]}),
        "is not in",
    ),
    Hostile("zip of folders", zipped, "must be a directory, not a file; unpack it"),
]

HOSTILE = [*SHARDS, *ARRAYS, *TABLES, *OTHERS]


if __name__ == "__main__":
    for case in HOSTILE:
        place = Path(sys.argv[1]) / case.name.replace(" ", "_")
        place.mkdir(parents=True)
        case.make(place)
