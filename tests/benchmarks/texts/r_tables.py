"""Tables inside Debian's r-cran-modeldata (MIT), without R: reviews of foods, and works of the Tate with their year.

R keeps the data of a package in two files: an index of (offset, length), and blocks of four bytes that say the size, a
letter that says the compression, and the packed object. The package `rdata` reads the objects; it is installed beside
the cache and only this process, which fetches, sees it.

    python -m texts.r_tables CACHE
"""

import bz2
import json
import lzma
import shutil
import subprocess
import sys
import warnings
import zlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from children import run_child

PACKAGE = "r-cran-modeldata"
TABLES = {"training_data": "foods_train", "testing_data": "foods_test", "tate_text": "tate"}
"""Name of the object in R, and of the file in the cache."""


def fetch_tables(cache: Path) -> None:
    """Put the tables into the cache, as JSON lines; nothing is done if they are there."""
    if all(_file(cache, name).exists() for name in TABLES.values()):
        return
    debs, unpacked, modules = cache / "debs", cache / "unpacked", cache / "modules"
    debs.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "-qq", PACKAGE], cwd=debs, check=True)
    subprocess.run(["dpkg", "-x", str(next(debs.glob(f"{PACKAGE}_*.deb"))), str(unpacked)], check=True)
    # What it needs beside these two, numpy and pandas, is here already.
    subprocess.run([*_pip(), "install", "-q", "--no-deps", "--target", str(modules), "rdata", "xarray"], check=True)
    log = cache / "r_tables.log"
    if not run_child(["-m", "texts.r_tables", str(cache)], log, 300, {"GRAFT_BENCH_MODULES": str(modules)}):
        raise RuntimeError(f"the tables of {PACKAGE} could not be read; see {log}")


def read_table(cache: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a table in the cache."""
    return [json.loads(line) for line in _file(cache, name).read_text().splitlines()]


def unpacked_block(database: bytes, offset: int, length: int) -> bytes:
    """One block of an R lazy-load database."""
    letter, packed = database[offset + 4 : offset + 5], database[offset + 5 : offset + length]
    match letter:
        case b"Z":  # R writes a raw stream of preset 6, without a container
            return lzma.decompress(
                packed, format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": lzma.PRESET_DEFAULT}]
            )
        case b"2":
            return bz2.decompress(packed)
    return zlib.decompress(database[offset + 4 : offset + length])


def _write(cache: Path) -> None:
    import rdata

    def converted(raw: bytes) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return rdata.conversion.convert(rdata.parser.parse_data(raw))

    folder = cache / "unpacked/usr/lib/R/site-library/modeldata/data"
    index: Mapping[Any, Any] = converted((folder / "Rdata.rdx").read_bytes())["variables"]
    places = {str(name): (int(place[0]), int(place[1])) for name, place in index.items()}
    database = (folder / "Rdata.rdb").read_bytes()
    for name, file in TABLES.items():
        frame = converted(unpacked_block(database, *places[name]))
        frame.to_json(_file(cache, file), orient="records", lines=True)


def _file(cache: Path, name: str) -> Path:
    return cache / f"{name}.jsonl"


def _pip() -> list[str]:
    """This environment's, or any other: it only unpacks two wheels of pure Python."""
    found = shutil.which("pip")
    if find_spec("pip") is None and found is None:
        raise FileNotFoundError("pip is missing, but the tables of R need it once, to fetch rdata")
    return [sys.executable, "-m", "pip"] if find_spec("pip") else [str(found)]


if __name__ == "__main__":
    import os

    sys.path.append(os.environ["GRAFT_BENCH_MODULES"])
    _write(Path(sys.argv[1]))
