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


RAY_ROOMS = ("workers", "data/ingest.py", "search/tuner.py", "search/tune_bridge.py", "pipeline/ray_session.py")
MLFLOW_ROOMS = ("tracking/mlflow",)


@pytest.mark.parametrize(("library", "rooms"), [("ray", RAY_ROOMS), ("mlflow", MLFLOW_ROOMS)])
def test_a_library_is_imported_in_its_own_rooms_only(repository: Path, library: str, rooms: tuple[str, ...]) -> None:
    package = repository / "platform" / "graft"
    importing = [
        path.relative_to(package).as_posix() for path in modules(repository) if library in imported_libraries(path)
    ]
    assert importing
    assert [path for path in importing if not path.startswith(rooms)] == []


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
