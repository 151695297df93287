import io
from pathlib import Path

import pytest
from rich.console import Console

from graft.cli.output import tell as tell_module
from graft.cli.output.tables import print_table
from graft.cli.output.tell import cell, tell, tell_json

NASTY = "a\x1b[2Jb\ngraft: done\u202e.png\x9b1m"
SHOWN = r"a\x1b[2Jb\ngraft: done\u202e.png\x9b1m"


@pytest.mark.parametrize("err", [False, True])
def test_each_text_is_one_line(capsys, err):
    tell("first", NASTY, err=err)
    captured = capsys.readouterr()
    assert (captured.err if err else captured.out) == f"first\n{SHOWN}\n"
    assert (captured.out if err else captured.err) == ""


def test_a_stream_may_be_named():
    stream = io.StringIO()
    tell(NASTY, stream=stream)
    assert stream.getvalue() == f"{SHOWN}\n"


def test_a_cell_is_neither_markup_nor_an_escape():
    stream = io.StringIO()
    Console(file=stream, width=100).print(cell(f"[red]{NASTY}", "cyan"))
    assert stream.getvalue() == f"[red]{SHOWN}\n"


def test_tables_show_escapes():
    stream = io.StringIO()
    print_table(["name"], [[NASTY]], stream=stream)
    assert SHOWN in stream.getvalue()


def test_json_is_one_line_that_every_reader_takes(capsys):
    tell_json({"a": float("nan"), "b": [1.5, (float("inf"), "x\n\x1b[2J")], "c": {"d": -float("inf")}, "e": True})
    out = capsys.readouterr().out
    assert out == '{"a": null, "b": [1.5, [null, "x\\n\\u001b[2J"]], "c": {"d": null}, "e": true}\n'


def test_every_command_prints_its_document_that_way():
    folder = Path(tell_module.__file__).parents[1]
    found = {path.name for path in folder.rglob("*.py") if "tell(json.dumps" in path.read_text()}
    assert found == {"tell.py"}
