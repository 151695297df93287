"""The shape of the repository: what a reader may rely on."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

MAX_MODULE_LINES = 400
MAX_MODULES_IN_A_FOLDER = 15
# Folders that are still too full, with what they hold; this only shrinks.
CROWDED: dict[str, int] = {}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "constants", "misc"}
# Folders at the top, by the layout that is fixed; beside them stand the usual single files.
TOP_FOLDERS = {".ci", "cluster", "deploy", "docs", "jobs", "platform", "tests"}
TOP_FILES = {".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml"}
# Beside the folders that mirror the package.
OTHER_TESTS = {"contracts", "deploy", "integration", "benchmarks", "browser", "fixtures", "assets"}


def modules(repository: Path) -> list[Path]:
    return sorted((repository / "platform" / "graft").rglob("*.py"))


def test_platform_is_a_source_root_not_a_package(repository: Path) -> None:
    # platform/__init__.py would shadow the standard library's `platform`, and pytest would die inside `uuid`.
    assert not (repository / "platform" / "__init__.py").exists()
    import platform

    assert platform.system()


def test_nothing_else_stands_at_the_top(repository: Path) -> None:
    """A whole virtual environment was once committed beside them, in a folder called ``\\``."""
    command = ["git", "ls-files", "-z"]
    tracked = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = [Path(name) for name in tracked if name]
    assert {path.parts[0] for path in paths if len(path.parts) > 1} <= TOP_FOLDERS
    assert {str(path) for path in paths if len(path.parts) == 1} <= TOP_FILES


def test_modules_are_short_and_well_named(repository: Path) -> None:
    too_long = {path.name: len(path.read_text().splitlines()) for path in modules(repository)}
    assert {name: lines for name, lines in too_long.items() if lines > MAX_MODULE_LINES} == {}
    assert not [path for path in modules(repository) if path.stem in BANNED_NAMES or path.parent.name in BANNED_NAMES]


def test_commands_print_in_one_place_only(repository: Path) -> None:
    # `tell` shows escape sequences of the terminal in names and error texts instead of obeying them.
    commands = [path for path in modules(repository) if "cli" in path.parts and path.parent.name != "output"]
    assert commands
    printing = {"typer.echo", "typer.secho", "print", "sys.stdout.write", "sys.stderr.write", "console.print"}
    found = {
        f"{path.relative_to(repository)}:{node.lineno} {ast.unparse(node.func)}"
        for path in commands
        if path.name != "help.py"  # what typer writes of our own words
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in printing
    }
    assert found == set()


def test_no_folder_is_crowded(repository: Path) -> None:
    folders: dict[str, int] = {}
    for path in modules(repository):
        name = path.parent.relative_to(repository).as_posix()
        folders[name] = folders.get(name, 0) + (path.stem != "__init__")
    crowded = {name: count for name, count in folders.items() if count > MAX_MODULES_IN_A_FOLDER}
    assert {name: count for name, count in crowded.items() if count > CROWDED.get(name, 0)} == {}


def test_tests_mirror_the_package(repository: Path) -> None:
    package, tests = repository / "platform" / "graft", repository / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    mirrored = sorted(path for path in folders if path.parts and path.parts[0] not in OTHER_TESTS)
    assert mirrored
    assert [str(path) for path in mirrored if not any((package / path).glob("*.py"))] == []


def test_no_module_imports_itself_by_way_of_others(repository: Path) -> None:
    root = repository / "platform"
    paths = {".".join(path.relative_to(root).with_suffix("").parts): path for path in modules(repository)}
    names = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    imports = {name: {other for other in imported(path) if other in names} for name, path in names.items()}
    assert imports["graft.pipeline.run"], "else this test shows nothing"
    assert circles(imports) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()}) == [["a", "b", "c"]]


def imported(path: Path) -> Iterator[str]:
    """What a module of ours imports when it is itself imported; what only type checkers see does not count."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(imports[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            component = [stack.pop()]
            while component[-1] != name:
                component.append(stack.pop())
            if len(component) > 1 or name in imports[name]:
                found.append(sorted(component))

    for name in sorted(imports):
        if name not in index:
            visit(name)
    return found


RAY_ROOMS = (
    "workers",
    "data/ingest.py",
    "data/streaming/ray_data.py",
    "search/tuner.py",
    "search/tune_bridge.py",
    "pipeline/ray_session.py",
    "pipeline/serving/application.py",
    "pipeline/serving/replica.py",
    "submit/connection.py",
    "submit/restarts.py",
)
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
    heavy = ("torch", "ray", "mlflow", "transformers", "timm", "numpy", "pandas", "PIL")
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


def test_no_file_is_opened_to_others_by_number(repository: Path) -> None:
    """`core/private_files.py` decides who may read what; a mode of its own anywhere else would be a second rule."""
    opened = [
        f"{path.relative_to(repository)}:{node.lineno}"
        for path in modules(repository)
        if path.name != "private_files.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and "O_CREAT" in ast.unparse(node)
    ]
    assert opened == []
