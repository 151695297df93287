"""Every hostile source gives one clear error, or leaves single samples out; nothing dies, hangs, or takes memory."""

import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.assets.hostile_sources import HOSTILE, Hostile

from graft.core.errors import DataError, SpecError
from graft.data.listing import list_samples
from graft.data.read import Unreadable
from graft.spec.load import parse_job

MOST_BYTES = 4 * 1024**3
"""Of address space: what Python, Arrow and NumPy map without touching it is a good part of it."""
# They write hundreds of megabytes, to show that as much is not read.
LARGE = {
    "page that unpacks to 300 MB", "rows that unpack to 2 GB", "more rows than bytes", "cell of 65 MB", "line of 70 MB",
    "cell of 130 MB in many lines", "CSV of a million columns", "array of giants",
}  # fmt: skip


def test_there_are_enough() -> None:
    assert len({case.name for case in HOSTILE}) == len(HOSTILE) >= 80


@pytest.mark.parametrize("case", [one for one in HOSTILE if one.name not in LARGE], ids=lambda case: case.name)
def test_each_is_told(case: Hostile, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.slow
def test_all_of_them_in_bounded_memory() -> None:
    done = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def check(case: Hostile, path: Path) -> None:
    section = {key: value for key, value in case.make(path).items() if value is not None}
    if case.told and not case.unreadable:
        with pytest.raises((DataError, SpecError), match=case.told) as raised:
            list(unreadable(section))
        assert "\n" not in str(raised.value)
        return
    reasons = list(unreadable(section))
    assert len(reasons) == case.unreadable
    assert all(re.search(case.told, reason) for reason in reasons), reasons


def unreadable(section: dict[str, Any]) -> Iterator[str]:
    """Why samples of a source are left out when they are read."""
    listing = list_samples(parse_job({"name": "x", "data": section}).data)
    arguments: tuple[Any, ...] = (0,) if "max_pixels" in listing.facts else ()
    for source in listing.sources:
        try:
            listing.reader(source, *arguments)
        except Unreadable as error:
            yield str(error)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    for one in HOSTILE:
        print(one.name, flush=True)  # noqa: T201 - the last one is where it ended
        with tempfile.TemporaryDirectory() as place:
            check(one, Path(place))
