"""What commands must not import: each of these costs a second or more of what a user waits for after Enter."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graft.core.storage import directory_digest
from graft.journal.events import ModelRegistered

COMPILER = {"torch._dynamo", "torch._inductor", "sympy", "triton"}
TRAINING = {"ray", "mlflow", "pandas", "sklearn", "scipy", "matplotlib", "optuna"}
NETWORKS = {"torch", "torchvision", "timm", "transformers"}

PROGRAM = """
import json, sys
from graft.cli import main
sys.argv = ["graft", *sys.argv[1:]]
try:
    main.main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


def imported_by(*arguments: object) -> set[str]:
    """The modules that a command which succeeds has imported, as a process of its own."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert not code, done.stderr[:2000]
    return set(modules)


def test_predicting_an_image_imports_neither_compiler_nor_training(bundle: Path, photo: Path) -> None:
    assert not imported_by("predict", bundle, photo) & (COMPILER | TRAINING | {"transformers"})


def test_a_model_that_this_home_has_registered_needs_no_mlflow(
    bundle: Path, photo: Path, make_experiment, home: Path
) -> None:
    experiment = make_experiment([ModelRegistered("models:/digits/1", "1", directory_digest(bundle))])
    shutil.copytree(bundle, experiment.bundle)
    with sqlite3.connect(home / "mlflow.db") as database:
        database.execute("CREATE TABLE model_versions (name TEXT, version INTEGER, current_stage TEXT)")
        database.execute("CREATE TABLE registered_model_aliases (name TEXT, alias TEXT, version INTEGER)")
        database.execute("INSERT INTO model_versions VALUES ('digits', 1, 'None')")
    assert not imported_by("predict", "models:/digits", photo) & (COMPILER | TRAINING | {"transformers"})


JOBS = {
    "bundled": "name: x\ndata: digits\nstrategy: {lr: {loguniform: [0.001, 0.1]}, freeze: {choice: [0.0, 1.0]}}\n",
    "text": "name: x\ndata: {kind: table, path: reviews.csv, text: review, label: stars}\n"
    "strategy: {freeze: {choice: [0.0, 1.0]}}\n",
}
REVIEWS = "review,stars\n" + "".join(f"{word} {number},{word}\n" for word in ("good", "bad") for number in range(20))


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("command", ["plan", "validate"])
def test_looking_at_a_job_imports_no_networks(command: str, job: str, job_file: Callable[[str], Path]) -> None:
    path = job_file(JOBS[job])
    (path.parent / "reviews.csv").write_text(REVIEWS)
    assert not imported_by(command, path) & (COMPILER | TRAINING | NETWORKS)


MISSING = [
    ["run", "job.yaml"],
    ["plan", "job.yaml"],
    ["validate", "job.yaml"],
    ["submit", "job.yaml"],
    ["chaos", "job.yaml"],
    ["space", "show", "job.yaml"],
    ["explore", "job.yaml"],
    ["explore", "nowhere"],
    ["fewshot", "job.yaml"],
    ["fewshot", "nowhere"],
    ["features", "job.yaml", "out.parquet"],
    ["meta-train", "job.yaml"],
    ["doctor", "job.yaml"],
    ["memory", "embed", "job.yaml"],
    ["memory", "recommend", "job.yaml"],
    ["predict", "nowhere", "job.yaml"],
    ["serve", "nowhere"],
]
EACH = """
import contextlib, io, json, sys
from graft.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["graft", *arguments]
    said = io.StringIO()
    code = 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main.main()
        except SystemExit as end:
            code = end.code
    print(json.dumps([arguments, code, said.getvalue(), sorted(sys.modules)]))
"""


def test_what_is_not_there_is_told_before_anything_heavy_is_imported(job_file) -> None:
    """Of every command in one process: what the first imports, the last has."""
    folder = job_file("name: x\ndata: {kind: image_folder, path: gone}\nepochs: 3\n").parent
    command = [sys.executable, "-c", EACH, json.dumps(MISSING)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(MISSING)
    for arguments, code, said, modules in answers:
        heavy = {*modules} & (COMPILER | NETWORKS | {"ray", "mlflow", "sklearn", "matplotlib"})
        assert (code, heavy) == (2, set()), arguments
        assert "gone" in said or "nowhere" in said, arguments


def test_a_plan_with_recommendations_imports_no_networks(memory: Path, job_file, monkeypatch) -> None:
    """The arithmetic of recommendations alone, and pandas, which Arrow imports for an array of NumPy."""
    monkeypatch.setenv("GRAFT_MEMORY", str(memory))
    heavy = COMPILER | (TRAINING - {"scipy", "pandas"}) | NETWORKS
    assert imported_by("plan", job_file(JOBS["bundled"])) & heavy == set()


@pytest.mark.parametrize("command", ["status", "leaderboard", "experiments"])
def test_looking_at_an_experiment_imports_nothing_heavy(command: str, make_experiment, story) -> None:
    make_experiment(story)
    assert not imported_by(command) & (COMPILER | TRAINING | NETWORKS)


def test_the_user_interface_imports_no_networks(make_experiment, story, home: Path) -> None:
    """As far as the printed address; MLflow is what it shows."""
    make_experiment(story)
    (home / "mlflow.db").touch()
    program = f"""
import subprocess, sys
from types import SimpleNamespace
from graft.cli.records import ui
ui.subprocess = SimpleNamespace(Popen=lambda *a, **k: SimpleNamespace(wait=lambda: 0, pid=0), PIPE=-1)
{PROGRAM}
"""
    command = [sys.executable, "-c", program, "ui", "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert "http://127.0.0.1:5000" in done.stdout
    assert not code
    assert not set(modules) & (COMPILER | NETWORKS | {"ray", "sklearn", "matplotlib", "optuna"})
