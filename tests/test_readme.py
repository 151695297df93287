"""What the README and the pages of docs/ promise: links lead somewhere, commands exist, job files are valid."""

import re
from pathlib import Path

import pytest
import typer
import yaml

from graft.cli.main import app
from graft.spec.load import parse_job
from graft.spec.registry import members

FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
ANCHORED = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|`|&& )graft ((?:[a-z]+(?:-[a-z]+)* ?)+)", re.MULTILINE)


@pytest.fixture
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


def pages(repository: Path) -> list[Path]:
    folders = ("docs", "docs/adr", "cluster", "deploy")
    return [*repository.glob("*.md"), *(page for one in folders for page in sorted((repository / one).glob("*.md")))]


def test_the_first_lines_say_what_it_is_for(readme: str) -> None:
    first = readme.splitlines()[2]
    assert readme.startswith("# graft\n\n")
    assert [
        word for word in ("images", "texts", "classification", "multi-label", "regression") if word not in first
    ] == []


def test_the_line_of_the_tests_is_what_ci_runs(repository: Path, readme: str) -> None:
    line = "python3 -m venv .venv && . .venv/bin/activate && pip install -e '.[test]' && pytest"
    assert line in readme.splitlines()
    assert line.replace("pip install -e", "pip install -q -e") in (repository / ".ci" / "run").read_text()


def test_ones_own_data_come_before_the_tests(readme: str) -> None:
    places = [readme.index(one) for one in ("## Install", "## Your own data", "graft init photos", "&& pytest")]
    assert places == sorted(places)


def test_every_link_leads_to_a_file(repository: Path) -> None:
    links = {(page, link) for page in pages(repository) for link in LINK.findall(page.read_text())}
    local = {(page, link) for page, link in links if "://" not in link}
    assert len(local) > 10
    assert [f"{page.name}: {link}" for page, link in sorted(local) if not (page.parent / link).exists()] == []


def test_every_anchor_of_a_link_is_a_heading(repository: Path) -> None:
    found = {(page, name, anchor) for page in pages(repository) for name, anchor in ANCHORED.findall(page.read_text())}
    assert len(found) > 10
    wrong = [
        f"{page.name}: {name}#{anchor}"
        for page, name, anchor in sorted(found)
        if "://" not in name and anchor not in headings(page.parent / name if name else page)
    ]
    assert wrong == []


def headings(page: Path) -> set[str]:
    """Of a page, as a link names them."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_the_first_screen_says_what_to_type(readme: str) -> None:
    first = "\n".join(readme.splitlines()[:15])
    assert [word for word in ("graft init ", "graft run ", "graft predict ") if word not in first] == []


def test_long_tables_are_on_pages_of_their_own(readme: str) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", readme, re.MULTILINE)
    assert max(table.count("\n") for table in tables) <= 12


@pytest.mark.parametrize("name", ["README.md", "docs/commands.md"])
def test_every_command_that_is_named_is_there(repository: Path, name: str) -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    named = {found.split()[0] for found in COMMAND.findall((repository / name).read_text()) if found.strip()}
    assert len(named) > 5
    assert named - known == set()


def test_all_commands_are_on_their_page(repository: Path) -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    page = (repository / "docs" / "commands.md").read_text()
    assert {name for name in known if f"graft {name}" not in page} == set()


def test_job_files_in_it_are_valid(readme: str) -> None:
    found = [yaml.safe_load(text) for kind, text in FENCE.findall(readme) if kind == "yaml"]
    assert len(found) >= 4
    for raw in found:
        parse_job({"name": "x", "data": "digits", **raw})


def test_what_it_names_of_schedulers_and_searchers_is_there(readme: str) -> None:
    for group in ("scheduler", "searcher"):
        assert [kind for kind in members(group) if kind != "none" and f"`{kind}`" not in readme] == []
