"""A directory whose file names hold groups."""

import pytest

from graft.core.errors import SpecError
from graft.spec.load import parse_job

FOLDER = {"kind": "image_folder", "path": "photos"}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"group": "(a"}, "data.group: is `(a`, but must be a regular expression (missing )"),
        ({"group": "a+"}, "data.group: has 0 groups in parentheses, but must have one"),
        ({"group": "(a)(b)"}, "data.group: has 2 groups in parentheses, but must have one; write others as (?:…)"),
        (
            {"group": "(a)", "split_by": "label"},
            "data.split_by: is label, which would put samples of a `group` on both",
        ),
    ],
)
def test_a_group_is_one_group_of_an_expression(keys: dict[str, str], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_job({"name": "x", "data": {**FOLDER, **keys}})
    assert told in str(caught.value)


def test_counts_say_all_only_without_groups() -> None:
    found = [parse_job({"name": "x", "data": {**FOLDER, **keys}}).data for keys in ({}, {"group": "/(?:x)(a)"})]
    assert [one.splits_by_label for one in found] == [True, False]
