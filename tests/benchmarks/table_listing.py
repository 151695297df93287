"""What listing a table of texts takes: peak memory and CPU seconds, beside pandas, which reads it whole.

Each row of the table below is a process of its own; memory is the growth of its peak from before the table is opened.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet
from reporting import json_line, provenance, table

EXAMPLE = """example:
  python tests/benchmarks/table_listing.py --rows 100000,1000000
"""
WORDS, LENGTH = 5000, 25
READERS = ("graft", "pandas")


def write(path: Path, rows: int) -> Path:
    """A table of texts of 25 words in ten classes."""
    draw = np.random.default_rng(0)
    words = ["".join(map(chr, 97 + letters)) for letters in draw.integers(0, 26, (WORDS, 7))]
    texts = [" ".join(words[place] for place in row) for row in draw.integers(0, WORDS, (rows, LENGTH))]
    made = pa.table({"text": texts, "label": [f"class {row % 10}" for row in range(rows)]})
    if path.suffix == ".csv":
        csv.write_csv(made, path)
    else:
        parquet.write_table(made, path)
    return path


def measure(reader: str, path: Path) -> dict[str, float]:
    """Peak memory (MiB) and CPU seconds of reading a table in this process."""
    from graft.modalities.text.sources.table import list_text_table
    from graft.spec.modalities.table import TableData

    spec = TableData(path=path, text="text", label="label")
    before, start = peak(), time.process_time()
    if reader == "graft":
        rows = len(list_text_table(spec))
    else:
        rows = len(pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path))
    return {"rows": rows, "peak": peak() - before, "seconds": time.process_time() - start}


def peak() -> float:
    """Of this process so far, in MiB; `getrusage` would count that of the process which has started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", default="100000,1000000", help="of the tables")
    parser.add_argument("--child", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.child[0], Path(given.child[1]))))
        return
    begun, found = provenance(), []
    with tempfile.TemporaryDirectory() as directory:
        for rows in map(int, given.rows.split(",")):
            for suffix in (".csv", ".parquet"):
                path = write(Path(directory) / f"{rows}{suffix}", rows)
                for reader in READERS:
                    command = [sys.executable, __file__, "--child", reader, str(path)]
                    one = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                    found.append({"reader": reader, "form": suffix, "bytes": path.stat().st_size} | one)
    shown = ["reader", "form", "rows", "peak", "seconds"]
    print(table(shown, [[one[name] for name in shown] for one in found]))
    print(json_line("table_listing", begun, {"tables": found}))


if __name__ == "__main__":
    main()
