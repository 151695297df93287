"""What is known of an exploration, in words."""

from dataclasses import replace

from tests.pipeline.exploration.page.standings import standing


def test_it_says_what_the_certificate_would_take_and_whether_that_is_left() -> None:
    known = standing(labels=110, audit_labels=30, estimate=0.9, interval=(0.7, 0.99), expected=1500, left=2000)
    told = "110 labels, 30 of them for the audit, 2000 left; accuracy about 0.90 (0.70 to 0.99)"
    more = f"{told}; some 1,500 audit labels more would show it"
    assert str(known) == more
    assert str(replace(known, left=39)) == f"{more.replace('2000', '39')}, but there are not so many left"
    assert str(replace(known, expected=None)) == told
