"""What every check must keep, whichever package it comes from.

- it finds only kinds that it announces, each documented;
- what it finds does not depend on the order of the samples, and is the same each time;
- a finding counts what it names;
- no data at all, one sample, targets of any task: it finds or is silent, but never raises.
"""

from dataclasses import replace

import numpy as np
import pytest
from tests.fixtures.examined import ODD_TARGETS, Odd, examined_of, permuted, rows_of

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.spec.checks.base import CheckSpec
from graft.spec.registry import build, implementation, members

CHECKS = [pytest.param(spec.model_validate({}), id=f"check-{kind}") for kind, spec in members("check").items()]


def found(check: CheckSpec, examined: Examined) -> list[Found]:
    return list(build(check, examined))


def examined_for(check: CheckSpec, count: int = 40) -> Examined:
    return examined_of(check.modality or "image", count)


def named(examined: Examined, findings: list[Found]) -> dict[str, tuple[set[str], int]]:
    return {one.kind: ({examined.ids[row] for row in one.rows} | {*one.subjects}, one.count) for one in findings}


@pytest.mark.parametrize("check", CHECKS)
class TestCheck:
    def test_it_says_what_it_finds(self, check: CheckSpec) -> None:
        assert check.finds
        for kind in check.finds:
            assert kind.meaning
            assert kind.action in kind.actions
            assert "fail" in kind.actions

    def test_it_finds_what_it_has_announced(self, check: CheckSpec) -> None:
        assert {one.kind for one in found(check, examined_for(check))} <= {kind.name for kind in check.finds}

    def test_it_finds_the_same_again(self, check: CheckSpec) -> None:
        first, second = (named(one, found(check, one)) for one in (examined_for(check), examined_for(check)))
        assert first == second

    def test_counts_are_those_of_what_is_named(self, check: CheckSpec) -> None:
        examined = examined_for(check)
        for one in found(check, examined):
            assert one.count == len(one.rows) + len(one.subjects)
            assert (np.diff(one.rows) > 0).all()
            assert one.rows.dtype == np.int64
            assert set(one.reasons) <= set(one.rows.tolist())
            assert one.splits is None or one.splits.shape == (len(examined),)

    def test_order_does_not_matter(self, check: CheckSpec) -> None:
        # Of two copies the first stays, so what is named may differ, but not how many there are.
        examined = examined_for(check)
        other = permuted(examined, np.random.default_rng(1).permutation(len(examined)))
        mine, theirs = named(examined, found(check, examined)), named(other, found(check, other))
        assert {kind: count for kind, (_, count) in mine.items()} == {
            kind: count for kind, (_, count) in theirs.items()
        }

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_few_samples(self, check: CheckSpec, count: int) -> None:
        examined = rows_of(examined_for(check), np.arange(count))
        assert all(one.count <= max(count, len(examined.left_out), 3) for one in found(check, examined))

    @pytest.mark.parametrize("targets", ODD_TARGETS)
    def test_targets_of_any_task(self, check: CheckSpec, targets: Odd) -> None:
        examined = examined_for(check)
        values, names, task = targets(len(examined))
        found(check, replace(examined, targets=values, names=names, task=task, _derived={}))

    def test_without_signs_it_is_silent_or_needs_none(self, check: CheckSpec) -> None:
        # A modality of another package may leave out what it does not know.
        found(check, replace(examined_for(check), signs={}, _derived={}))

    def test_groups_are_of_all_samples(self, check: CheckSpec) -> None:
        if check.groups_by:
            examined = examined_for(check)
            groups = implementation(check, check.groups_by)(examined)
            assert groups.shape == (len(examined),)
            assert groups.dtype == np.int64
