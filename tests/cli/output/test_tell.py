import io

import pytest
from rich.console import Console

from graft.cli.output.tables import print_table
from graft.cli.output.tell import cell, tell

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
