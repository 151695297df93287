from dataclasses import replace

from graft.search.lineage import Lineage
from graft.search.protocol import Checkpoint, Exploit, Proposal
from graft.search.timeline import LEGEND, timeline
from graft.spec.strategy import Strategy

T1, T2, T3, T4 = (Proposal(f"t0{number}", Strategy(), epochs=8) for number in range(1, 5))


def copy(after: Proposal, donor: Proposal, epoch: int) -> tuple[Proposal, Exploit]:
    source = Checkpoint(donor.trial, donor.segment, epoch)
    return replace(after, start=source, segment=after.segment + 1), Exploit(source, Strategy(), {}, "")


FIRST = copy(T1, T2, 2)
SECOND = copy(T3, FIRST[0], 4)


def test_a_row_a_trial_with_a_mark_where_it_copied() -> None:
    lineage = Lineage.of([T1, T2, T3, T4], [FIRST, SECOND], best=Checkpoint("t03", 1, 8))

    assert timeline(lineage, {"t02": 6}) == [
        "epoch  0     2     4     6     8",
        "t01    ●─────‹t02━━────────────",
        "t02    ●━━━━━────────────",
        "t03    ●───────────‹t01━━━━━━━━★",
        "1 more neither copied nor were copied from",
        LEGEND,
    ]


def test_the_best_may_be_behind_its_trial() -> None:
    lineage = Lineage.of([T1, T2], [FIRST], best=Checkpoint("t01", 0, 2))

    assert timeline(lineage)[:3] == [
        "epoch  0      2      8",
        "t01    ●━━━━━━★‹t02──",
        "t02    ●─────────────",
    ]


def test_a_long_drawing_goes_on_below() -> None:
    lineage = Lineage.of([T1, T2, T3], [FIRST, SECOND])

    lines = timeline(lineage, width=20)

    assert lines[:-1] == [
        "epoch  0     2",
        "t01    ●─────‹t02──",
        "t02    ●───────────",
        "t03    ●───────────",
        "epoch  4     8",
        "t01    ──────",
        "t02    ──────",
        "t03    ‹t01──",
    ]


def test_a_search_without_copies_has_nothing_to_draw() -> None:
    assert timeline(Lineage.of([T1, T2], [])) == ["no trial has copied from another"]
