import io

import pytest

from graft.cli.output.tables import print_leaderboard


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
