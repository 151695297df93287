"""A trial trains what it was proposed, from where it stands."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.fixtures.learner_trials import PROBE, Told, Trial, proposal, same

from graft.core.stores.sender import Sender
from graft.learner.checkpoints import CheckpointStore
from graft.learner.trial import (
    train_proposal,
)
from graft.search.protocol import LENGTH, Allowance, Checkpoint, CheckpointEpochs, Proposal
from graft.spec.components.head import RidgeHead
from graft.training.checkpoint import TrainingState
from graft.training.loop import TrainingStatus
from graft.training.world import ALONE


class TestFromTheStart:
    def test_every_epoch_is_scored_and_reported(self, here: Trial) -> None:
        told = Told()
        outcome = here.train(proposal(), told)
        assert outcome is not None
        assert told.epochs == [1, 2, 3, 4]
        assert outcome.epochs_done == 4
        first = told.reports[0][1]
        assert {"train/loss", "train/lr", "train/seconds", "val/loss", "val/accuracy"} <= first.keys()
        assert first["train/seconds"] > 0
        assert outcome.best_metrics["val/loss"] == min(told.values("val/loss"))

    def test_it_ends_where_its_phase_ends(self, here: Trial) -> None:
        told = Told()
        here.train(proposal(epochs=2), told)
        assert told.epochs == [1, 2]
        # the learning rate runs towards the end of the whole training, not of the phase
        whole = Told()
        here.train(proposal("t02"), whole)
        assert told.values("train/lr") == whole.values("train/lr")[:2]

    def test_states_are_left_where_they_are_due_and_nowhere_else(self, here: Trial) -> None:
        here.train(proposal(), due=CheckpointEpochs(every=2, at=frozenset({3})))
        assert [one.epoch for one in here.store.of_trial("t01")] == [4, 3, 2]

    def test_states_are_on_the_disk_before_the_search_hears_of_the_epoch(self, here: Trial) -> None:
        seen: list[tuple[bool, bool]] = []

        def look(epoch: int, metrics: Mapping[str, float], notes: Sequence[str]) -> bool:
            state = here.store.state_file(Checkpoint("t01", 0, epoch))
            seen.append((state.exists(), here.store.best_file("t01").exists()))
            return True

        train_proposal(proposal(), here.payload(), ALONE, look)
        assert seen == [(True, True)] * 4

    def test_the_best_epoch_is_kept_and_states_are_without_it(self, here: Trial) -> None:
        told = Told()
        outcome = here.train(proposal(), told)
        assert outcome is not None
        best = here.best("t01")
        losses = told.values("val/loss")
        assert best.best_epoch == 1 + losses.index(min(losses))
        assert same(best.part("best"), outcome.best_state)
        assert here.state("t01", 4).part("best") == {}

    def test_the_search_can_end_it_at_a_report(self, here: Trial) -> None:
        outcome = train_proposal(proposal(), here.payload(), ALONE, lambda epoch, metrics, notes: epoch < 2)
        assert (outcome.status, outcome.epochs_done) == (TrainingStatus.STOPPED, 2)


class TestAfterABreak:
    @pytest.mark.parametrize("cut", [1, 2, 3])
    def test_it_goes_on_bit_for_bit(self, make: Callable[[str], Trial], cut: int) -> None:
        whole, broken = make("whole"), make("broken")
        expected, before, after = Told(), Told(cut), Told()
        whole.train(proposal(), expected)
        assert broken.train(proposal(), before) is None
        broken.train(proposal(reported=cut), after)
        assert [*before.epochs, *after.epochs] == [1, 2, 3, 4]
        assert [*before.values("val/loss"), *after.values("val/loss")] == expected.values("val/loss")
        assert same(whole.model("t01", 4), broken.model("t01", 4))
        assert same(whole.state("t01", 4).part("optimizer"), broken.state("t01", 4).part("optimizer"))
        assert same(whole.best("t01").part("best"), broken.best("t01").part("best"))
        assert whole.best("t01").best_epoch == broken.best("t01").best_epoch

    def test_an_epoch_whose_report_was_lost_is_reported_first(self, make: Callable[[str], Trial]) -> None:
        whole, broken = make("whole"), make("broken")
        expected, after = Told(), Told()
        whole.train(proposal(), expected)
        broken.train(proposal(), Told(2, is_lost=True))
        broken.train(proposal(reported=1), after)
        assert after.epochs == [2, 3, 4]
        assert after.values("val/loss") == expected.values("val/loss")[1:]
        assert after.values("val/accuracy") == expected.values("val/accuracy")[1:]
        assert after.reports[0][1]["train/seconds"] == 0.0
        assert same(whole.model("t01", 4), broken.model("t01", 4))

    def test_a_trial_that_had_come_to_its_end_only_reports_it(self, here: Trial) -> None:
        after = Told()
        here.train(proposal(), Told(4, is_lost=True))
        outcome = here.train(proposal(reported=3), after)
        assert outcome is not None
        assert (after.epochs, outcome.status, outcome.epochs_done) == ([4], TrainingStatus.COMPLETED, 4)
        silent = Told()
        outcome = here.train(proposal(reported=4), silent)
        assert outcome is not None
        assert (silent.epochs, outcome.status) == ([], TrainingStatus.COMPLETED)

    def test_so_does_one_that_had_come_to_the_end_of_its_phase(self, here: Trial) -> None:
        after = Told()
        here.train(proposal(epochs=2), Told(2, is_lost=True))
        outcome = here.train(proposal(epochs=2, reported=1), after)
        assert outcome is not None
        assert (after.epochs, outcome.status, outcome.epochs_done) == ([2], TrainingStatus.COMPLETED, 2)

    def test_the_search_may_end_it_at_the_lost_report(self, here: Trial) -> None:
        here.train(proposal(), Told(2, is_lost=True))
        outcome = train_proposal(proposal(reported=1), here.payload(), ALONE, lambda epoch, metrics, notes: False)
        assert (outcome.status, outcome.epochs_done) == (TrainingStatus.STOPPED, 2)
        assert [one.epoch for one in here.store.of_trial("t01")] == [2, 1]

    def test_without_a_state_it_begins_anew_and_its_best_is_still_its_own(self, here: Trial) -> None:
        before, after = Told(3), Told()
        here.train(proposal(), before, due=CheckpointEpochs())
        best = here.best("t01")
        here.train(proposal(reported=3), after, due=CheckpointEpochs())
        assert after.epochs == [1, 2, 3, 4]
        assert after.values("val/loss")[:3] == before.values("val/loss")
        assert here.best("t01").best_metrics["val/loss"] <= best.best_metrics["val/loss"]

    def test_a_damaged_newest_state_costs_an_epoch(self, make: Callable[[str], Trial]) -> None:
        whole, broken = make("whole"), make("broken")
        whole.train(proposal())
        broken.train(proposal(), Told(3))
        broken.store.state_file(Checkpoint("t01", 0, 3)).write_bytes(b"torn")
        after = Told()
        broken.train(proposal(reported=3), after)
        assert after.epochs == [3, 4]
        assert same(whole.model("t01", 4), broken.model("t01", 4))
        assert len(after.notes) == 1
        assert "s0-e0003.safetensors is no training state" in after.notes[0]

    def test_a_damaged_best_epoch_comes_back_by_training_again(self, make: Callable[[str], Trial]) -> None:
        # to go on as if there had been none would put a worse epoch in its place
        whole, broken = make("whole"), make("broken")
        whole.train(proposal())
        broken.train(proposal(), Told(2))
        broken.store.best_file("t01").write_bytes(b"torn")
        after = Told()
        broken.train(proposal(reported=2), after)
        assert after.epochs == [1, 2, 3, 4]
        assert whole.best("t01").best_metrics == broken.best("t01").best_metrics
        assert "best.safetensors is no training state" in after.notes[0]

    def test_a_full_disk_costs_checkpoints_and_not_the_trial(
        self, here: Trial, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1e6, total=1e12))
        told = Told()
        outcome = here.train(proposal(), told)
        assert outcome is not None
        assert told.epochs == [1, 2, 3, 4]
        assert len(told.notes) == 1  # not one an epoch
        assert "the disk has 1 MB left" in told.notes[0]
        assert not here.store.best_file("t01").exists()

    def test_a_best_epoch_that_found_no_room_is_kept_before_any_later_state(
        self, make: Callable[[str], Trial], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever resumed from a state behind it could not find it again."""
        whole, here = make("whole"), make("here")
        whole.train(proposal())
        real = CheckpointStore.keep
        refused: list[str] = []

        def keep(store: CheckpointStore, state: TrainingState, file: Path, sender: Sender) -> str:
            if file.name == "best.safetensors" and len(refused) < 2:
                refused.append(file.name)
                return "there is no room"
            return real(store, state, file, sender)

        monkeypatch.setattr(CheckpointStore, "keep", keep)
        here.train(proposal())
        assert [one.epoch for one in here.store.of_trial("t01")] == [4, 3]
        assert same(whole.best("t01").part("best"), here.best("t01").part("best"))


class TestInTime:
    """Trials that plan by the pace that they show; a moment that is over leaves time for what is under way alone."""

    STEPS = PROBE.model_copy(update={"batch_size": 2})  # ten steps an epoch, so that the first are timed

    def train(self, here: Trial, until: float, one: Proposal) -> Told:
        told = Told()
        payload = replace(here.payload(), allowance=Allowance(until, validation=0.25))
        train_proposal(one, payload, ALONE, told)
        return told

    def test_with_time_enough_nothing_is_different(self, make: Callable[[str], Trial]) -> None:
        plain, timed = make("plain"), make("timed")
        expected = Told()
        plain.train(proposal(strategy=self.STEPS), expected)
        told = self.train(timed, time.time() + 3600, proposal(strategy=self.STEPS))
        assert (told.epochs, told.notes) == ([1, 2, 3, 4], [])
        assert told.values("val/loss") == expected.values("val/loss")
        assert LENGTH not in told.reports[0][1]
        assert same(plain.model("t01", 4), timed.model("t01", 4))

    @pytest.mark.parametrize("batch_size", [2, 10])
    def test_without_it_the_epoch_under_way_is_the_last(self, here: Trial, batch_size: int) -> None:
        strategy = PROBE.model_copy(update={"batch_size": batch_size})
        told = self.train(here, time.time() - 1, proposal(strategy=strategy))
        assert told.epochs == [1]
        assert told.values(LENGTH) == [1.0]
        (note,) = told.notes
        assert note.startswith("trains 1 of 4 epochs: an epoch takes ")
        assert here.best("t01").best_epoch == 1

    def test_a_shorter_training_goes_on_under_its_own_schedule(self, make: Callable[[str], Trial]) -> None:
        short, broken = make("short"), make("broken")
        short.training_data = replace(short.training_data, epochs=2)
        expected, before, after = Told(), Told(1), Told()
        short.train(proposal(epochs=2), expected)
        broken.train(proposal(epochs=2, length=2), before)
        broken.train(proposal(epochs=2, length=2, reported=1), after)
        assert [*before.values("train/lr"), *after.values("train/lr")] == expected.values("train/lr")
        assert [*before.values("val/loss"), *after.values("val/loss")] == expected.values("val/loss")
        assert same(short.model("t01", 2), broken.model("t01", 2))

    @pytest.mark.parametrize(
        "changes",
        [{"reported": 1}, {"start": Checkpoint("t01", 0, 1), "trial": "t02"}],
        ids=["has reported", "goes on from another"],
    )
    def test_what_has_begun_keeps_its_length(self, here: Trial, changes: dict[str, Any]) -> None:
        here.train(proposal(), Told(1))
        told = self.train(here, time.time() - 1, replace(proposal(), **changes))
        assert told.epochs == [2, 3, 4]
        assert told.notes == []

    def test_a_head_that_is_solved_takes_what_it_takes(self, here: Trial) -> None:
        solved = PROBE.model_copy(update={"head": RidgeHead()})
        told = self.train(here, time.time() - 1, proposal(strategy=solved, epochs=1))
        assert (told.epochs, told.notes) == ([1], [])
