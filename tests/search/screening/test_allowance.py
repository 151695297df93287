"""What scoring the backbones of a search may cost."""

from graft.search.screening.allowance import MOST_ROWS, Effort, allowance
from graft.search.screening.report import Candidate

THREE = tuple(Candidate(name) for name in "abc")


def test_a_share_of_the_search_is_spent_and_no_more() -> None:
    found = allowance(THREE, Effort(rows=1000, passes=60.0, seconds=600.0), share=0.01)
    assert (found.rows, found.seconds) == (200, 6.0)
    assert 3 * found.rows <= 0.01 * 60 * 1000
    assert found.reason == "3 backbones on 200 rows, in 6 s at most"


def test_of_much_data_no_more_than_a_sample_is_looked_at() -> None:
    found = allowance(THREE, Effort(100_000, 60.0), 0.01)
    assert (found.rows, found.seconds) == (MOST_ROWS, None)


def test_parts_of_a_backbone_cost_their_part() -> None:
    deep = allowance((Candidate("a"), Candidate("a", 0.5)), Effort(1000, 60.0), 0.01)
    assert (deep.rows, deep.reason) == (400, "1 backbone at 2 depths on 400 rows")


def test_small_data_is_not_worth_it_and_that_is_said() -> None:
    found = allowance(THREE, Effort(300, 60.0), 0.01)
    assert found.rows == 0
    assert found.reason == "0.01 of the search is enough for 60 rows of 3 backbones, but scores need 100"


def test_one_backbone_is_not_compared_with_itself() -> None:
    assert allowance(THREE[:1], Effort(100_000, 60.0), 0.01).reason == "there is no choice of backbones or depths"


def test_it_can_be_switched_off() -> None:
    assert allowance(THREE, Effort(100_000, 60.0), 0.0).reason == "search.searcher.screening is 0"
