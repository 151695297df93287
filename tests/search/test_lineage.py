import json
from dataclasses import replace

import pytest

from graft.search.lineage import Copied, Lineage
from graft.search.protocol import Checkpoint, Exploit, Proposal
from graft.search.strategy_schedule import Stretch
from graft.spec.strategy import Strategy


def rate(lr: float) -> Strategy:
    return Strategy(lr=lr)


A, B, C = (Proposal(name, rate(lr), epochs=8) for name, lr in (("a", 0.1), ("b", 0.2), ("c", 0.3)))


def copy(after: Proposal, donor: Proposal, epoch: int, lr: float) -> tuple[Proposal, Exploit]:
    source = Checkpoint(donor.trial, donor.segment, epoch)
    exploit = Exploit(source, rate(lr), {"lr": (donor.strategy.lr, lr)}, f"{after.trial} copies {donor.trial}")
    return replace(after, strategy=rate(lr), start=source, segment=after.segment + 1), exploit


B1 = copy(B, A, 2, 0.4)
C1 = copy(C, B1[0], 4, 0.5)
A1 = copy(A, C, 2, 0.6)
C2 = copy(C1[0], B1[0], 6, 0.7)
LINEAGE = Lineage.of([A, B, C], [B1, A1, C1, C2], best=Checkpoint("c", 2, 8))


def test_events_say_who_copied_whom_when_and_what_changed() -> None:
    assert LINEAGE.events[2] == Copied("c", 1, Checkpoint("b", 1, 4), 4, {"lr": (0.4, 0.5)}, "c copies b")
    assert [(event.trial, event.donor.trial, event.epoch) for event in LINEAGE.events] == [
        ("b", "a", 2),
        ("a", "c", 2),
        ("c", "b", 4),
        ("c", "b", 6),
    ]


def test_depth_is_the_longest_chain_of_copies() -> None:
    """c copied twice, but its second copy replaced the first: a -> b -> c."""
    assert LINEAGE.depth == 2
    assert Lineage.of([A, B], []).depth == 0
    assert Lineage.of([], []).depth == 0


def test_the_schedule_of_weights_goes_back_through_their_donors() -> None:
    assert LINEAGE.schedule_of("c", 2, 8) == (
        Stretch(0, 2, rate(0.1)),
        Stretch(2, 6, rate(0.4)),
        Stretch(6, 8, rate(0.7)),
    )
    assert LINEAGE.schedule_of("c", 0, 3) == (Stretch(0, 3, rate(0.3)),)


def test_the_schedule_goes_back_into_an_earlier_phase() -> None:
    """The first phase ended b at 8; d goes on from it under the same strategy, then copies from e."""
    d = Proposal("d", B1[0].strategy, Checkpoint("b", 1, 8), epochs=12, phase=1)
    e = Proposal("e", rate(0.9), Checkpoint("a", 1, 7), epochs=12, phase=1)
    again = copy(d, e, 10, 0.8)

    lineage = Lineage.of([A, B, C, d, e], [B1, A1, C1, C2, again])

    assert lineage.schedule_of("d", 0, 12) == (Stretch(0, 2, rate(0.1)), Stretch(2, 12, rate(0.4)))
    assert lineage.schedule_of("d", 1, 11) == (
        Stretch(0, 2, rate(0.3)),
        Stretch(2, 7, rate(0.6)),
        Stretch(7, 10, rate(0.9)),
        Stretch(10, 11, rate(0.8)),
    )
    assert lineage.depth == 2


def test_the_way_of_weights_names_its_segments_and_where_they_were_left() -> None:
    assert LINEAGE.way_of(Checkpoint("c", 2, 8)) == {("c", 2): 8, ("b", 1): 6, ("a", 0): 2}


def test_a_segment_that_is_started_again_counts_once() -> None:
    assert Lineage.of([A, B, replace(A, reported=2), B1[0]], [B1]).proposals == (A, B, B1[0])


@pytest.mark.parametrize(
    ("proposals", "best", "told"),
    [
        ([B, B1[0]], None, "never began"),
        ([A], Checkpoint("a", 1, 4), "never began"),
        ([A, B, replace(B1[0], start=Checkpoint("a", 0, 0))], None, "not later than its segment"),
    ],
)
def test_weights_that_nobody_trained_are_refused(proposals: list[Proposal], best: Checkpoint | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Lineage.of(proposals, [], best)


def test_a_schedule_of_what_never_was_is_refused() -> None:
    with pytest.raises(ValueError, match="never began"):
        LINEAGE.schedule_of("c", 3, 8)
    with pytest.raises(ValueError, match="began at epoch 6"):
        LINEAGE.schedule_of("c", 2, 6)


def test_plain_data_has_everything_and_survives_json() -> None:
    plain = json.loads(json.dumps(LINEAGE.to_dict()))

    assert plain["depth"] == 2
    assert plain["best"] == {"trial": "c", "segment": 2, "epoch": 8}
    assert plain["exploits"][2] == {
        "trial": "c",
        "segment": 1,
        "donor": "b",
        "donor_segment": 1,
        "epoch": 4,
        "changes": {"lr": [0.4, 0.5]},
        "reason": "c copies b",
    }
    assert [(one["trial"], one["segment"]) for one in plain["segments"]] == [
        ("a", 0),
        ("b", 0),
        ("c", 0),
        ("b", 1),
        ("a", 1),
        ("c", 1),
        ("c", 2),
    ]
    assert plain["segments"][3]["from"] == {"trial": "a", "segment": 0, "epoch": 2}
