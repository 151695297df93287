"""How large a task memory grows, and how long it takes to read: bytes a record, processor seconds to the table and to
the records, for several sizes; and what it takes to append a run.

Records are of made-up trials with real strategies: curves of eight epochs over forty tasks. `linear` is the bytes a
record of the largest memory over those of the smallest.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reporting import json_line, provenance, table

from graft.core.storage import canonical_json
from graft.meta.memory.place import LocalPlace
from graft.meta.memory.records import Record, TrialState
from graft.meta.memory.store import MemoryStore
from graft.meta.memory.trust import Reader
from graft.spec.strategy import Strategy
from graft.tracking.provenance import versions_here

EXAMPLE = """example:
  python tests/benchmarks/memory_size.py --sizes 1000,10000,100000
"""
EPOCHS, TASKS, RUN = 8, 40, 128
VERSIONS = versions_here()


def made_up(count: int) -> Iterator[Record]:
    """Records of as many epochs, trial by trial."""
    rng = random.Random(0)
    for trial in range(-(-count // EPOCHS)):
        strategy = Strategy(lr=10 ** rng.uniform(-4, -2), freeze=rng.choice([0.0, 0.5, 0.75, 1.0]))
        text, task, final = (
            canonical_json(strategy.model_dump(mode="json")),
            rng.randrange(TASKS),
            rng.uniform(0.5, 0.9),
        )
        for epoch in range(1, min(EPOCHS, count - trial * EPOCHS) + 1):
            yield Record(
                task=f"{task:016x}",
                modality="image",
                task_kind="classification",
                backbone=strategy.backbone,
                metric="accuracy",
                direction="max",
                value=final * (1 - 0.5**epoch),
                strategy_json=text,
                epoch=epoch,
                epochs=EPOCHS,
                seconds=2.5 * epoch,
                state=TrialState.FINISHED if trial % 3 else TrialState.STOPPED,
                trial=f"experiment-{trial // 16}/t{trial % 16:02d}",
                device="a processor, 2 cores, 24 GiB, Linux",
                source=f"run:job-{trial // 16}",
                versions=VERSIONS,
                written_at=1.7e9 + trial,
            )


def measure(count: int, folder: Path) -> dict[str, float]:
    """One memory: its size, and processor seconds of what is done with it."""
    store = MemoryStore(LocalPlace(folder))
    records = list(made_up(count))
    parts = [records[start : start + RUN] for start in range(0, count, RUN)]
    appended = sum(_seconds(lambda part=part: store.append(part)) for part in parts)
    compacted = _seconds(store.compact)
    size = sum(file.stat().st_size for file in folder.rglob("*.parquet"))
    found: list[Any] = []
    read = _seconds(lambda: found.append(store.contents().memory(Reader(1.8e9, VERSIONS))))
    listed = _seconds(lambda: found.append(found[0].records()))
    if len(found[1]) != count:
        raise RuntimeError(f"{len(found[1])} records were read, but {count} were written")
    return {
        "records": count,
        "bytes a record": size / count,
        "append ms": 1000 * appended / len(parts),
        "compact s": compacted,
        "read s": read,
        "to records s": listed,
    }


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> int:
    """Measure all sizes."""
    options = _parser().parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory() as root:
        found = [measure(count, Path(root) / str(count)) for count in options.sizes]
    linear = found[-1]["bytes a record"] / found[0]["bytes a record"]
    keys = list(found[0])
    print(table(keys, [[round(one[key], 3) for key in keys] for one in found]))
    print(json_line("memory_size", origin, {"sizes": found, "linear": linear}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = [1000, 10_000, 100_000]
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(one) for one in text.split(",")],
        default=sizes,
        help="records, the fewest first",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
