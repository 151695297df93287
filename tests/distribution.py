"""Which process runs which test: workers share a whole run, and runs of CI take quarters of the slow tests by turns."""

import functools
import json
import zlib
from collections import Counter
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

WORKERS = 2
QUARTERS = (1, 2, 3, 4)
RECORD = Path(__file__).with_name("slow_seconds.json")
RAY = "ray_session"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quarter",
        type=int,
        choices=QUARTERS,
        help="leave out the slow tests of the other quarters; CI takes another quarter by every commit (.ci/run)",
    )
    parser.addoption(
        "--record-seconds",
        action="store_true",
        help=f"write into {RECORD.name} how long the slow tests of this run took, by which quarters are dealt",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("record_seconds"):
        config.pluginmanager.register(Recorder())


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two for the whole default suite; none for a part, since each worker imports and collects for itself, and none for
    slow or browser tests, which start several processes each."""
    option = config.option
    everywhere = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    default = option.markexpr in config.getini("addopts") and not option.keyword
    return WORKERS if everywhere and default else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return FileScheduling(config, log) if config.getoption("dist") == "load" else None


class FileScheduling(LoadFileScheduling):
    """Files whole, since a worker builds what a module needs, the largest first; all that need Ray on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return RAY if _needs_ray(self.config.rootpath / file) else file


@functools.cache
def _needs_ray(file: Path) -> bool:
    return RAY in file.read_text()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("quarter")
    if wanted is None:
        return
    record = recorded()
    dealt = deal(record)
    left_out = {
        item for item in items if item.get_closest_marker("slow") and quarter_of(unit_of(item, record), dealt) != wanted
    }
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def recorded() -> dict[str, float]:
    """The seconds of what is known to take long, by its unit."""
    return json.loads(RECORD.read_text())


def deal(seconds: Mapping[str, float]) -> dict[str, int]:
    """The quarter of each recorded unit: the longest first, each where least is to be done yet."""
    load, dealt = Counter[int](), {}
    for unit in sorted(seconds, key=lambda unit: (-seconds[unit], unit)):
        dealt[unit] = min(QUARTERS, key=lambda quarter: load[quarter])
        load[dealt[unit]] += seconds[unit]
    return dealt


def quarter_of(unit: str, dealt: Mapping[str, int]) -> int:
    """As it was dealt; for what nobody has recorded one by its name, so that a new test moves no other."""
    return dealt.get(unit) or QUARTERS[zlib.crc32(unit.encode()) % len(QUARTERS)]


def unit_of(item: pytest.Item, recorded: Container[str]) -> str:
    """What goes to one quarter: tests of a file, which share what it builds, or of a class, a function or a parameter
    that is recorded by itself. A parameter that is not is by itself if its file is not recorded."""
    file, _, rest = item.nodeid.partition("::")
    call = getattr(item, "callspec", None)
    possible = [f"{file}[{call.id}]"] if call else []
    possible += [f"{file}::{rest.partition('::')[0]}", file]
    return next((unit for unit in possible if unit in recorded), possible[0] if call else file)


class Recorder:
    """Adds up the seconds of slow tests by their units, and puts them in the record in place of older ones."""

    def __init__(self) -> None:
        self._units: dict[str, str] = {}
        self._seconds = Counter[str]()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        record = recorded()
        slow = [item for item in session.items if item.get_closest_marker("slow")]
        self._units = {item.nodeid: unit_of(item, record) for item in slow}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid in self._units:
            self._seconds[self._units[report.nodeid]] += report.duration

    def pytest_sessionfinish(self) -> None:
        took = {unit: round(seconds) for unit, seconds in self._seconds.items()}
        RECORD.write_text(json.dumps(recorded() | took, indent=0, sort_keys=True) + "\n")
