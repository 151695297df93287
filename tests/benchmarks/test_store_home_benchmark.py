"""The smallest run of the benchmark of homes in stores: its journals, without a search."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_the_smallest_run_ends_with_its_json_line() -> None:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "platform"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, HERE / "store_home.py", "--records", "50", "--trials", "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["benchmark"] == "store_home"
    assert set(found["results"]["journal"] if "results" in found else found["journal"]) == {"disk", "store"}
