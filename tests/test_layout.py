"""The shape of the repository: what a reader may rely on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

MAX_MODULE_LINES = 500
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "constants", "misc"}


def modules(repository: Path) -> list[Path]:
    return sorted((repository / "platform" / "graft").rglob("*.py"))


def test_platform_is_a_source_root_not_a_package(repository: Path) -> None:
    # platform/__init__.py would shadow the standard library's `platform`, and pytest would die inside `uuid`.
    assert not (repository / "platform" / "__init__.py").exists()
    import platform

    assert platform.system()


def test_modules_are_short_and_well_named(repository: Path) -> None:
    too_long = {path.name: len(path.read_text().splitlines()) for path in modules(repository)}
    assert {name: lines for name, lines in too_long.items() if lines > MAX_MODULE_LINES} == {}
    assert not [path for path in modules(repository) if path.stem in BANNED_NAMES or path.parent.name in BANNED_NAMES]


def test_a_module_imports_ray_or_mlflow_only_if_its_name_says_so(repository: Path) -> None:
    allowed = {
        "ray": {"ingest", "worker", "tuner", "schedulers", "ray_session"}
        | {"exchange", "lease", "group", "host", "member", "train_run", "capacity", "elastic", "elastic_host"}
        | {"feature_ingest", "heads_host"},
        "mlflow": {"mlflow", "mlflow_failures", "mlflow_store", "mlflow_writer", "mlflow_shipping"},
    }
    for path in modules(repository):
        found = imported_libraries(path) & set(allowed)
        assert len(found) <= 1, f"{path} imports {sorted(found)}"
        for library in found:
            assert path.stem in allowed[library], f"{path} imports {library}, but its name does not say so"


def imported_libraries(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("statement", ["import graft", "import graft.cli.main", "import graft.spec.load"])
def test_light_imports_stay_light(repository: Path, statement: str) -> None:
    heavy = ("torch", "ray", "mlflow", "transformers", "timm", "numpy", "pandas")
    check = f"{statement}\nimport sys\nprint([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=repository / "platform")
    assert done.stdout.strip() == "[]", done.stderr


def test_imports_go_down_only(repository: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    environment = {"PYTHONPATH": str(repository / "platform"), "PATH": str(lint.parent), "HOME": str(Path.home())}
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, cwd=repository, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_job_file_says_first_what_it_shows(repository: Path) -> None:
    jobs = sorted((repository / "jobs").glob("*.yaml"))
    assert jobs
    assert [path.name for path in jobs if not path.read_text().startswith("# ")] == []
