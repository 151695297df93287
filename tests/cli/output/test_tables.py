import io

import pytest

from graft.cli.output.tables import print_leaderboard, print_table


@pytest.fixture
def rows() -> list[dict[str, object]]:
    def row(rank: int, score: float | None) -> dict[str, object]:
        label = f"efficientnet_lite0 freeze=0.75 l2_sp number {rank}"
        return {
            "rank": rank, "trial": f"t{rank:02}", "score": score, "epochs": 3, "seconds": 1.26, "status": "failed",
            "label": label, "reason": "a reason " * 10,
        }  # fmt: skip

    return [row(1, 0.98765), row(2, 0.5), row(3, None)]


def test_a_limit_leaves_out_rows_and_says_how_many(rows):
    text = io.StringIO()
    print_leaderboard(rows, "accuracy", 2, text)
    lines = text.getvalue().splitlines()
    assert [line.split()[1] for line in lines[1:3]] == ["t01", "t02"]
    assert lines[3].strip() == "… and 1 more"
    assert "a reason" not in text.getvalue()


def test_without_a_limit_everything_is_shown(rows):
    text = io.StringIO()
    print_leaderboard(rows, "accuracy", None, text)
    assert "more" not in text.getvalue()
    assert text.getvalue().count("a reason a reason") >= 3


def test_in_a_file_no_name_is_cut(rows):
    text = io.StringIO()
    print_leaderboard(rows, "accuracy", None, text)
    assert "efficientnet_lite0 freeze=0.75 l2_sp number 3" in text.getvalue()
    assert "…" not in text.getvalue()


def test_brackets_in_a_reason_are_text(rows):
    # rich would take them for markup, and swallow or choke on them.
    rows[0]["reason"] = "expected [3, 3] but got [/bold] in blocks[0]"
    text = io.StringIO()
    print_leaderboard(rows, "accuracy", None, text)
    assert "expected [3, 3] but got [/bold] in blocks[0]" in text.getvalue()


def test_a_long_text_takes_no_room_from_the_others():
    text = io.StringIO()
    strategy = " ".join(f"field{number}=0.12345" for number in range(40))
    row = ["digits-20261130-123430-42bf", "accuracy", strategy]
    print_table(["experiment", "metric", "strategy"], [row], stream=text)
    shown = text.getvalue()
    assert "digits-20261130-123430-42bf    accuracy" in shown
    assert all(word in shown for word in strategy.split())
    assert "…" not in shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("width", "limit"), [(60, 2), (60, None), (80, None), (100, None)])
def test_a_narrow_terminal_shows_strategy_and_reason_below_each_trial(rows, monkeypatch, width, limit):
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = Terminal()
    print_leaderboard(rows, "accuracy", limit, terminal)
    lines = terminal.getvalue().splitlines()
    place = next(number for number, line in enumerate(lines) if " t01 " in line)
    assert lines[place].split() == ["1", "t01", "0.988", "3", "1.3", "failed"]
    assert lines[place + 1].strip() == "efficientnet_lite0 freeze=0.75 l2_sp number 1"
    assert ("a reason" in lines[place + 2]) is (limit is None)
    assert max(map(len, lines)) <= width


def test_a_terminal_too_narrow_for_all_columns_gets_a_block_for_each_row(monkeypatch):
    columns, rows = ["experiment", "best", "strategy"], [["digits-1", "0.98", "a " * 30], ["digits-2", "0.97", "b"]]
    shown = {}
    for width in (60, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        terminal = Terminal()
        print_table(columns, rows, ("best",), stream=terminal)
        shown[width] = terminal.getvalue().splitlines()
    assert shown[60][:2] == ["experiment  digits-1", "best        0.98"]
    assert shown[60][4:] == ["experiment  digits-2", "best        0.97", "strategy    b"]
    assert all(name in shown[120][0] for name in columns)


def test_lines_in_a_file_end_where_their_text_does(rows):
    text = io.StringIO()
    print_leaderboard(rows, "accuracy", None, text)
    print_table(["name", "value"], [["a", "1"]], stream=text)
    assert [line for line in text.getvalue().splitlines() if line != line.rstrip()] == []
