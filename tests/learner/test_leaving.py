"""A trial whose node is to be taken away leaves its state in the middle of an epoch, and loses no step."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
from tests.fixtures.learner_trials import Told, Trial, proposal, same

from graft.core.errors import NodeLeaving
from graft.learner import trial as module
from graft.learner.trial import train_in_group, train_proposal
from graft.search.protocol import Checkpoint
from graft.training.loop import train_epoch
from graft.training.world import ALONE
from graft.workers.nodes.leaving import LeavingNotice


class After(LeavingNotice):
    """Given at a step, counted over all epochs."""

    def __init__(self, step: int) -> None:
        super().__init__(())
        self._left = step

    def is_given(self) -> bool:
        self._left -= 1
        return self._left <= 0


def leave(trial: Trial, step: int, told: Told, reported: int = 0) -> None:
    notice = After(step)
    train_one = partial(train_epoch, should_stop=notice.is_given)
    with pytest.raises(NodeLeaving, match=r"its node will be taken away; epoch \d up to step \d is on the disk"):
        train_proposal(proposal(reported=reported), trial.payload(), ALONE, told, train_one, notice)


@pytest.mark.parametrize("step", [1, 4, 5])
def test_it_goes_on_bit_for_bit_from_the_middle_of_an_epoch(make: Callable[[str], Trial], step: int) -> None:
    whole, broken = make("whole"), make("broken")
    expected, before, after = Told(), Told(), Told()
    whole.train(proposal(), expected)
    leave(broken, step, before)
    broken.train(proposal(reported=len(before.epochs)), after)
    assert [*before.epochs, *after.epochs] == expected.epochs
    for name in ("val/loss", "train/loss"):
        assert [*before.values(name), *after.values(name)] == expected.values(name)
    assert same(broken.model("t01", 4), whole.model("t01", 4))


def test_it_may_have_to_leave_twice_in_an_epoch(make: Callable[[str], Trial]) -> None:
    whole, broken = make("whole"), make("broken")
    whole.train(proposal())
    leave(broken, 1, Told())
    leave(broken, 1, Told())
    told = Told()
    broken.train(proposal(), told)
    assert told.epochs == [1, 2, 3, 4]
    assert same(broken.model("t01", 4), whole.model("t01", 4))


def test_what_was_cut_off_is_forgotten_when_there_is_a_newer_state(here: Trial) -> None:
    leave(here, 1, Told())
    cut = here.store.cut_file(Checkpoint("t01", 0, 0))
    here.store.prune("t01", (), newest=2)
    assert cut.exists()
    here.train(proposal())
    here.store.prune("t01", (), newest=2)
    assert not cut.exists()
    assert [one.epoch for one in here.store.of_trial("t01")] == [4, 3]


def test_what_was_cut_off_ends_with_its_trial(here: Trial) -> None:
    leave(here, 1, Told())
    here.store.prune("t01", (), newest=0)
    assert not here.store.cut_file(Checkpoint("t01", 0, 0)).exists()


def test_a_cut_that_is_older_than_the_newest_state_does_not_count(here: Trial) -> None:
    leave(here, 1, Told())
    here.train(proposal())
    newest = here.store.newest("t01", 0, pytest.fail)
    assert newest is not None
    assert (newest.epochs_done, newest.partial.steps) == (4, 0)


def test_a_damaged_cut_costs_what_it_held(here: Trial) -> None:
    whole = Told()
    leave(here, 1, Told())
    here.store.cut_file(Checkpoint("t01", 0, 0)).write_bytes(b"no weights")
    here.train(proposal(), whole)
    assert whole.epochs == [1, 2, 3, 4]
    assert [one.partition(" ")[0] for one in whole.notes] == [str(here.store.cut_file(Checkpoint("t01", 0, 0)))]


def test_a_worker_of_a_group_leaves_too(here: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    class Noticed(LeavingNotice):
        def __enter__(self) -> LeavingNotice:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def is_given(self) -> bool:
            return True

    def leaving_notice(nodes: tuple[str, ...]) -> Noticed:
        asked.append(nodes)
        return Noticed(nodes)

    monkeypatch.setattr(module, "leaving_notice", leaving_notice)
    channel = SimpleNamespace(size=1, rank=0, nodes=("a", "b"), ended_by="", is_abandoned=lambda: False)
    with pytest.raises(NodeLeaving):
        train_in_group(proposal(), here.payload(), channel)  # type: ignore[arg-type]
    assert asked == [("a", "b")]
    assert here.store.cut_file(Checkpoint("t01", 0, 0)).exists()
