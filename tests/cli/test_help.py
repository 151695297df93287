import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.main import get_command

from graft.cli.main import app

COMMANDS = (
    "run",
    "resume",
    "validate",
    "plan",
    "status",
    "watch",
    "leaderboard",
    "experiments",
    "predict",
    "ui",
    "zoo",
    "schema",
)
WITH_EXAMPLE = (
    "run",
    "resume",
    "validate",
    "plan",
    "status",
    "watch",
    "leaderboard",
    "predict",
    "track sync",
    "journal show",
    "journal verify",
)
GROUPS = [
    ("memory", "ls"),
    ("memory", "import"),
    ("memory", "forget"),
    ("track",),
    ("track", "sync"),
    ("journal",),
    ("journal", "show"),
    ("journal", "verify"),
]
HEAVY = ("torch", "ray", "mlflow", "transformers", "timm", "numpy", "pandas", "torchvision", "pyarrow")


def commands(command, path=()):
    """Every command with the words that name it, at any depth."""
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*path, name))


def test_help_lists_every_command_the_examples_and_the_exit_codes(graft):
    done = graft("--help")
    assert done.exit_code == 0
    assert done.err == ""
    for command in (*COMMANDS, "track", "journal"):
        assert f" {command} " in done.out
    assert "graft run jobs/digits.yaml" in done.out
    told = " ".join(done.out.split())
    assert "Exit codes: 0 done, 2 your file or data is wrong, 3 a resource is missing, 4 the doctor found" in told


def test_short_help_is_the_same(graft):
    assert graft("-h").out == graft("--help").out


def test_no_command_shows_the_overview(graft):
    done = graft()
    assert (done.exit_code, done.err) == (0, "")
    assert done.out.rstrip() == graft("--help").out.rstrip()


@pytest.mark.parametrize("group", ["track", "journal", "cache", "zoo", "memory"])
def test_a_group_without_a_command_shows_its_overview(graft, group):
    done = graft(group)
    assert (done.exit_code, done.err) == (0, "")
    assert done.out.rstrip() == graft(group, "--help").out.rstrip()


def test_the_version_can_be_asked(graft):
    done = graft("--version")
    assert (done.exit_code, done.out, done.err) == (0, f"graft {version('graft')}\n", "")


@pytest.mark.parametrize("path", [path for path, _ in commands(get_command(app))], ids=" ".join)
def test_what_a_help_says_is_shown_as_it_is_written(graft, path):
    """Nothing in brackets is taken for markup, and no line ends where one of the source does."""
    (command,) = [command for one, command in commands(get_command(app)) if one == path]
    shown = "".join(graft(*path, "--help").out.split())
    assert "".join((command.help or "").split()) in shown


def test_paragraphs_of_a_help_are_as_wide_as_the_terminal(graft):
    shown = graft("resume", "--help").out.splitlines()
    assert any("limits of search.budget and what is kept." in line for line in shown)


@pytest.mark.parametrize("width", [80, 100])
def test_no_line_of_the_examples_is_broken(graft, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    examples = graft("--help").out.partition("Examples:")[2].partition("Exit codes")[0]
    assert all(line.startswith("   graft ") for line in examples.splitlines() if line.strip())


def options(command, path=()):
    """Every command with its parameters, at any depth."""
    inner = getattr(command, "commands", {})
    for name, one in inner.items():
        yield from options(one, (*path, name))
    if not inner:
        yield path, command.params


@pytest.mark.parametrize("path", [path for path, _ in options(get_command(app))], ids=" ".join)
def test_no_word_of_a_help_is_taken_for_markup(graft, path):
    shown = "".join("".join(line.strip("│ ").split()) for line in graft(*path, "--help").out.splitlines())
    (params,) = [params for one, params in options(get_command(app)) if one == path]
    for param in params:
        if getattr(param, "hidden", False):
            continue
        assert "".join((getattr(param, "help", None) or "").split()) in shown


def test_the_default_of_the_home_is_shown(graft):
    assert "[default: (./.graft)]" in graft("status", "--help").out


@pytest.mark.parametrize("command", [(name,) for name in COMMANDS] + GROUPS, ids="-".join)
def test_every_command_explains_itself(graft, command):
    done = graft(*command, "--help")
    assert (done.exit_code, done.err) == (0, "")
    usage, _, text = done.out.strip().partition("\n")
    assert usage.strip().startswith(f"Usage: graft {' '.join(command)}")
    explanation = text.strip().splitlines()[0].strip()
    assert len(explanation) > 20
    assert explanation.endswith(".")


@pytest.mark.parametrize("command", WITH_EXAMPLE)
def test_commands_with_arguments_show_an_example(graft, command):
    assert f"Example: graft {command} " in graft(*command.split(), "--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_described(graft, command):
    options = [line for line in graft(command, "--help").out.splitlines() if line.startswith("│") and " --" in line]
    assert options
    assert [line for line in options if len(line.strip("│ ").rsplit("  ", 1)[-1]) < 10] == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["validate", "jobs/digits.yaml"], ["validate", "jobs/digits.yaml", "--json"], ["schema"]]
)
def test_light_commands_import_nothing_heavy(repository, arguments):
    code = (
        "import sys\nfrom graft.cli.main import main\n"
        f"sys.argv = ['graft', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=repository,
        env={"PYTHONPATH": str(repository / "platform"), "PATH": "", "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
