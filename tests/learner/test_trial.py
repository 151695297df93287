"""A trial trains what it was proposed, from where it stands; real training of a small head on a few images."""

import math
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

from graft.core.errors import ArtifactError, SpecError
from graft.core.heartbeat import Pulse
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.checkpoints import CheckpointStore
from graft.learner.prefix import Prefix
from graft.learner.supervised import SupervisedFactory
from graft.learner.training_data import TrainingData
from graft.learner.trial import (
    Hosted,
    Message,
    TrialPayload,
    run_trial,
    run_trial_in_group,
    run_trial_in_host,
    train_in_group,
    train_in_host,
    train_proposal,
)
from graft.models.load import describe_backbone
from graft.search.protocol import Checkpoint, CheckpointEpochs, Proposal
from graft.spec.components.head import MlpHead
from graft.spec.components.schedule import Constant
from graft.spec.strategy import Strategy
from graft.training import rendezvous
from graft.training.checkpoint import TrainingState, load_state, save_state
from graft.training.loop import TrainingOutcome, TrainingStatus
from graft.training.world import ALONE
from graft.workers.heads_host import HeadsHost

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=10, lr=0.01)
STILL = 1e-12  # a learning rate under which nothing moves
EVERY = CheckpointEpochs(every=1)
T = TypeVar("T")


class Cut(BaseException):
    """The process dies, or the search has ended the trial."""


class Told:
    """Takes reports; at the end of `cut` the trial is ended, before or after the search has heard of the epoch."""

    def __init__(self, cut: int = 0, is_lost: bool = False) -> None:
        self._cut, self._is_lost = cut, is_lost
        self.reports: list[tuple[int, Mapping[str, float]]] = []
        self.notes: list[str] = []

    def __call__(self, epoch: int, metrics: Mapping[str, float], notes: Sequence[str]) -> bool:
        self.notes += notes
        if epoch == self._cut and self._is_lost:
            raise Cut
        self.reports.append((epoch, metrics))
        if epoch == self._cut:
            raise Cut
        return True

    @property
    def epochs(self) -> list[int]:
        return [epoch for epoch, _ in self.reports]

    def values(self, name: str) -> list[float]:
        return [metrics[name] for _, metrics in self.reports]


class Trial:
    """The trials of one experiment."""

    def __init__(self, training_data: TrainingData, directory: Path) -> None:
        self.training_data, self.store = training_data, CheckpointStore(directory)

    def payload(self, due: CheckpointEpochs = EVERY) -> TrialPayload:
        return TrialPayload(SupervisedFactory(self.training_data), self.store, due)

    def train(
        self, proposal: Proposal, told: Told | None = None, due: CheckpointEpochs = EVERY
    ) -> TrainingOutcome | None:
        """None if it was cut off."""
        try:
            return train_proposal(proposal, self.payload(due), ALONE, told or Told())
        except Cut:
            return None

    def model(self, trial: str, epoch: int, segment: int = 0) -> dict[str, Tensor]:
        return self.state(trial, epoch, segment).part("model")

    def state(self, trial: str, epoch: int, segment: int = 0) -> TrainingState:
        return load_state(self.store.state_file(Checkpoint(trial, segment, epoch)))

    def best(self, trial: str) -> TrainingState:
        return load_state(self.store.best_file(trial))


@pytest.fixture
def make(training_data: TrainingData, tmp_path: Path) -> Callable[[str], Trial]:
    return lambda name: Trial(training_data, tmp_path / name)


@pytest.fixture
def here(make: Callable[[str], Trial]) -> Trial:
    return make("here")


def proposal(name: str = "t01", strategy: Strategy = PROBE, **changes: Any) -> Proposal:
    return replace(Proposal(name, strategy, epochs=4), **changes)


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def near(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.allclose(one[name], other[name], atol=1e-8) for name in one)


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

        def keep(store: CheckpointStore, state: TrainingState, file: Path) -> str:
            if file.name == "best.safetensors" and len(refused) < 2:
                refused.append(file.name)
                return "there is no room"
            return real(store, state, file)

        monkeypatch.setattr(CheckpointStore, "keep", keep)
        here.train(proposal())
        assert [one.epoch for one in here.store.of_trial("t01")] == [4, 3]
        assert same(whole.best("t01").part("best"), here.best("t01").part("best"))


class TestFromADonor:
    @pytest.fixture
    def donor(self, here: Trial) -> Checkpoint:
        """Two epochs of t02, and its state."""
        here.train(proposal("t02", PROBE.model_copy(update={"lr": 0.05})), Told(2))
        return Checkpoint("t02", 0, 2)

    def copy(self, start: Checkpoint, **strategy: Any) -> Proposal:
        changed = PROBE.model_copy(update={"schedule": Constant(), **strategy})
        return proposal("t01", changed, start=start, segment=1, reported=2)

    def test_the_weights_are_the_donors(self, here: Trial, donor: Checkpoint) -> None:
        here.train(proposal("t01"), Told(2))
        assert not near(here.model("t01", 2), here.model("t02", 2))
        here.train(self.copy(donor, lr=STILL), Told(3))
        assert near(here.model("t01", 3, segment=1), here.model("t02", 2))

    def test_the_rate_is_the_mutated_one(self, here: Trial, donor: Checkpoint) -> None:
        told = Told()
        here.train(self.copy(donor, lr=0.2), told)
        assert told.values("train/lr") == [0.2, 0.2]
        assert not near(here.model("t01", 3, segment=1), here.model("t02", 2))

    def test_every_step_is_taken_with_the_mutated_rate(self, here: Trial, donor: Checkpoint) -> None:
        def moved(lr: float) -> Tensor:
            name = f"at{lr}"
            copied = replace(self.copy(donor, lr=lr, weight_decay=0.0), trial=name)
            here.train(copied, Told(3))
            return here.model(name, 3, segment=1)["head.1.weight"] - here.model("t02", 2)["head.1.weight"]

        # AdamW moves by the rate times a ratio of moments, and both copies have the donor's
        assert moved(1e-6).abs().max() > 1e-6
        assert torch.allclose(moved(2e-6), 2 * moved(1e-6), rtol=0.05, atol=1e-8)

    def test_the_moments_of_the_optimiser_are_the_donors(self, here: Trial, donor: Checkpoint) -> None:
        here.train(self.copy(donor, lr=STILL), Told(3))
        steps = {
            name: int(value)
            for name, value in here.state("t01", 3, segment=1).part("optimizer").items()
            if name.endswith("/step")
        }
        assert set(steps.values()) == {6}  # two steps an epoch

    def test_epochs_go_on_counting(self, here: Trial, donor: Checkpoint) -> None:
        told = Told()
        here.train(self.copy(donor), told)
        assert told.epochs == [3, 4]
        assert [(one.segment, one.epoch) for one in here.store.of_trial("t01")] == [(1, 4), (1, 3)]

    def test_the_learning_rate_schedule_goes_on_too(self, here: Trial, donor: Checkpoint) -> None:
        whole, told = Told(), Told()
        here.train(proposal("t03"), whole)
        here.train(proposal("t01", PROBE, start=donor, segment=1, reported=2), told)
        assert told.values("train/lr") == whole.values("train/lr")[2:]

    def test_a_better_epoch_of_its_own_is_not_overwritten_by_a_worse_one(self, here: Trial, donor: Checkpoint) -> None:
        here.train(proposal("t01"), Told(2))
        own = here.best("t01")
        told = Told()
        here.train(self.copy(donor, lr=10.0), told)
        assert min(told.values("val/loss")) > own.best_metrics["val/loss"]
        kept = here.best("t01")
        assert (kept.best_epoch, kept.best_metrics) == (own.best_epoch, own.best_metrics)
        assert same(kept.part("best"), own.part("best"))

    def test_a_worse_epoch_of_its_own_is_overwritten(self, here: Trial, donor: Checkpoint) -> None:
        here.train(proposal("t01", PROBE.model_copy(update={"lr": 10.0})), Told(2))
        own, told = here.best("t01"), Told()
        here.train(self.copy(donor, lr=STILL), told)
        kept = here.best("t01")
        assert kept.best_metrics["val/loss"] < own.best_metrics["val/loss"]
        assert kept.best_epoch in (3, 4)
        assert near(kept.part("best"), here.model("t02", 2))

    def test_the_donors_best_epoch_is_the_donors(self, here: Trial, donor: Checkpoint) -> None:
        # the copier has no best of its own: its first epoch is, however much better the donor's was
        here.train(self.copy(donor, lr=10.0), Told(3))
        assert here.best("t01").best_epoch == 3
        assert here.best("t01").best_metrics["val/loss"] > here.best("t02").best_metrics["val/loss"]

    def test_a_break_after_the_copy_goes_on_from_its_own(self, make: Callable[[str], Trial], here: Trial) -> None:
        whole, broken = make("whole"), make("broken")
        for one in (whole, broken):
            one.train(proposal("t02"), Told(2))
        copied = self.copy(Checkpoint("t02", 0, 2), lr=0.05)
        whole.train(copied)
        broken.train(copied, Told(3))
        after = Told()
        broken.train(replace(copied, reported=3), after)
        assert after.epochs == [4]
        assert same(whole.model("t01", 4, segment=1), broken.model("t01", 4, segment=1))

    def test_a_break_before_its_first_epoch_copies_again(self, here: Trial, donor: Checkpoint) -> None:
        here.train(proposal("t01"), Told(2))  # its own states, of the segment before
        here.train(self.copy(donor, lr=STILL), Told(3, is_lost=True))
        here.store.state_file(Checkpoint("t01", 1, 3)).unlink()
        here.train(self.copy(donor, lr=STILL), Told(3))
        assert near(here.model("t01", 3, segment=1), here.model("t02", 2))

    def test_an_epoch_lost_after_the_copy_is_reported_first(self, here: Trial, donor: Checkpoint) -> None:
        here.train(self.copy(donor), Told(3, is_lost=True))
        told = Told()
        here.train(self.copy(donor), told)
        assert told.epochs == [3, 4]

    def test_a_dangling_pointer_falls_back_to_the_donors_state_before(self, here: Trial, donor: Checkpoint) -> None:
        here.store.state_file(donor).unlink()
        told = Told()
        here.train(self.copy(donor, lr=STILL), told)
        # the epoch in between is trained again, and the search has heard of it already
        assert told.epochs == [2, 3, 4]
        assert near(here.model("t01", 3, segment=1), here.model("t02", 1))

    def test_a_donor_that_left_nothing_is_an_error_that_names_it(self, here: Trial) -> None:
        with pytest.raises(ArtifactError, match=r"t09/s0-e0002\.safetensors is gone"):
            here.train(self.copy(Checkpoint("t09", 0, 2)))

    def test_what_is_frozen_now_stays_as_the_donor_trained_it(self, here: Trial) -> None:
        open_top = PROBE.model_copy(update={"freeze": 0.9, "lr": 1e-3})
        here.train(proposal("t02", open_top), Told(2))
        here.train(self.copy(Checkpoint("t02", 0, 2), lr=STILL), Told(3))
        donor, copier = here.model("t02", 2), here.model("t01", 3, segment=1)
        assert any(name.startswith("backbone.blocks.16.") for name in copier)
        assert near(copier, donor)


class Reporter:
    """What the search gives a trial function."""

    def __init__(self) -> None:
        self.reports: list[tuple[int, Sequence[str]]] = []
        self.losses: list[float] = []
        self.failures: list[str] = []

    def report(
        self, epoch: int, metrics: Mapping[str, float], nodes: Sequence[str] = (), notes: Sequence[str] = ()
    ) -> None:
        self.reports.append((epoch, tuple(nodes)))
        self.losses.append(metrics.get("train/loss", math.nan))

    def fail(self, reason: str) -> None:
        self.failures.append(reason)


def poison(trial: Trial, name: str) -> None:
    """A state from which every loss is not a number."""
    trial.train(proposal(name), Told(1))
    file = trial.store.state_file(Checkpoint(name, 0, 1))
    state = load_state(file)
    tensors = {key: torch.full_like(value, float("nan")) if key.startswith("model/head") else value
               for key, value in state.tensors.items()}  # fmt: skip
    save_state(replace(state, tensors=tensors), file)


class TestTrialFunctions:
    def test_a_trial_of_one_process_reports_to_the_search(self, here: Trial) -> None:
        reporter = Reporter()
        run_trial(proposal(epochs=2), here.payload(), reporter)
        assert (reporter.reports, reporter.failures) == ([(1, ()), (2, ())], [])

    def test_a_loss_that_is_no_number_is_told_as_the_reason(self, here: Trial) -> None:
        poison(here, "t01")
        reporter = Reporter()
        run_trial(proposal(reported=1), here.payload(), reporter)
        assert reporter.reports == []
        assert reporter.failures == ["loss is nan in epoch 2, step 1; try a smaller lr"]

    def test_a_worker_of_a_group_reports_through_its_channel(self, here: Trial) -> None:
        channel = Channel()
        train_in_group(proposal(epochs=2), here.payload(), channel)  # type: ignore[arg-type]
        assert [(message.epoch, message.failure) for message in channel.messages] == [(1, ""), (2, "")]
        assert channel.messages[0].metrics["val/loss"] > 0

    def test_a_worker_of_a_group_tells_why_it_cannot_go_on(self, here: Trial) -> None:
        poison(here, "t01")
        channel = Channel()
        train_in_group(proposal(reported=1), here.payload(), channel)  # type: ignore[arg-type]
        assert [message.failure for message in channel.messages] == ["loss is nan in epoch 2, step 1; try a smaller lr"]

    def test_a_group_that_was_abandoned_ends_in_the_middle_of_an_epoch(self, here: Trial) -> None:
        channel = Channel(is_abandoned=True)
        train_in_group(proposal(), here.payload(), channel)  # type: ignore[arg-type]
        assert channel.messages == []
        assert here.store.of_trial("t01") == []

    def test_the_driver_of_a_group_relays_reports_with_their_nodes(self) -> None:
        groups, reporter = Groups([Message(1, {"val/loss": 0.5}), Message(1, {}, failure="loss is nan")]), Reporter()
        run_trial_in_group(proposal("t07"), groups, reporter)  # type: ignore[arg-type]
        assert (reporter.reports, reporter.failures) == ([(1, ("a", "b"))], ["loss is nan"])
        assert (groups.leased, groups.is_free) == (["t07"], True)
        assert groups.ran == [proposal("t07")]


class Channel:
    """What a worker group gives its ranks."""

    size = 1

    def __init__(self, is_abandoned: bool = False) -> None:
        self.messages: list[Message] = []
        self._is_abandoned = is_abandoned

    def report(self, message: Message) -> bool:
        self.messages.append(message)
        return True

    def is_abandoned(self) -> bool:
        return self._is_abandoned


class Groups:
    """Leases a group that answers any order with these messages."""

    nodes = ("a", "b")

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages
        self.leased: list[str] = []
        self.ran: list[Proposal] = []
        self.is_free = False

    @contextmanager
    def lease(self, name: str) -> Any:
        self.leased.append(name)
        yield self
        self.is_free = True

    def run(self, order: Proposal) -> list[Message]:
        self.ran.append(order)
        return self._messages


class HereHandle:
    """A host in this process, without Ray."""

    def __init__(self, payload: TrialPayload) -> None:
        self._host = HeadsHost(train_in_host, payload, 1)

    def run(self, trial: str, order: Any) -> Iterator[Message]:
        self._host.begin(trial, trial, order)
        answer = None
        while not (heard := self._host.next(trial, answer)).is_over:
            answer = True
            yield heard.report
        if heard.error:
            raise heard.error


class TestTogether:
    """Trials whose heads one process trains together."""

    STRATEGIES = tuple(
        PROBE.model_copy(update={"lr": lr, "head": MlpHead(width=8, dropout=rate)})
        for lr, rate in ((0.01, 0.0), (0.05, 0.3), (0.1, 0.3))
    )

    @pytest.fixture
    def cached(self, here: Trial, tmp_path: Path) -> TrialPayload:
        prefix = Prefix(PROBE.backbone, 32, describe_backbone(PROBE.backbone).num_blocks)
        feature_cache = FeatureCache(FeatureStore(tmp_path / "features", 10**9), "rows", frozenset([prefix]))
        return replace(
            here.payload(), factory=SupervisedFactory(replace(here.training_data, feature_cache=feature_cache))
        )

    def run(self, payload: TrialPayload, strategies: Sequence[Strategy]) -> list[Reporter]:
        handle, reporters = HereHandle(payload), [Reporter() for _ in strategies]
        threads = [
            threading.Thread(
                target=run_trial_in_host,
                args=(proposal(f"t{place}", strategy), Hosted(handle, EVERY), reporter),  # type: ignore[arg-type]
            )
            for place, (strategy, reporter) in enumerate(zip(strategies, reporters, strict=True))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return reporters

    def test_they_report_what_they_would_alone(
        self, cached: TrialPayload, monkeypatch: pytest.MonkeyPatch, make: Callable[[str], Trial]
    ) -> None:
        met: list[int] = []
        real = rendezvous.train_epoch_together
        monkeypatch.setattr(rendezvous, "train_epoch_together", lambda s, b: met.append(len(s)) or real(s, b))
        together = self.run(cached, self.STRATEGIES)
        assert max(met) > 1
        elsewhere = make("elsewhere")
        for place, (reporter, strategy) in enumerate(zip(together, self.STRATEGIES, strict=True)):
            told = Told()
            train_proposal(proposal(f"t{place}", strategy), replace(cached, store=elsewhere.store), ALONE, told)
            assert reporter.losses == pytest.approx(told.values("train/loss"), abs=1e-5)
            assert [one.epoch for one in cached.store.of_trial(f"t{place}")] == [4, 3, 2, 1]

    def test_all_that_takes_long_is_seen_to_get_on(self, cached: TrialPayload, tmp_path: Path) -> None:
        steps: list[int] = []

        def watch(batches: Iterable[T]) -> Iterator[T]:
            steps.append(0)
            for batch in batches:
                yield batch
                steps[-1] += 1

        learner = cached.factory(PROBE, ALONE, watch)
        features = len(steps)
        assert features >= 2, "of training and validation rows"
        learner.train(lambda result: result.epoch < 2, validate=True)
        assert steps[features:] == [len(learner.batches()), 1] * 2  # type: ignore[attr-defined]

    def test_each_of_them_shows_its_own_steps(
        self, cached: TrialPayload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown: Counter[str] = Counter()
        over = Pulse.over

        def counted(pulse: Pulse, batches: Iterable[T]) -> Iterator[T]:
            for batch in over(pulse, batches):
                shown[pulse.trial] += 1
                yield batch

        monkeypatch.setattr(Pulse, "over", counted)
        self.run(replace(cached, heartbeats=tmp_path), self.STRATEGIES)
        assert set(shown) == {"t0", "t1", "t2"}

    def test_one_whose_loss_is_infinite_fails_alone(self, cached: TrialPayload) -> None:
        wild = PROBE.model_copy(update={"lr": 1e30, "head_lr_factor": 1000.0})
        broken, fine = self.run(cached, [wild, PROBE])
        assert len(broken.failures) == 1
        assert "try a smaller lr" in broken.failures[0]
        assert (len(fine.losses), fine.failures) == (4, [])

    def test_an_error_comes_out(self, cached: TrialPayload) -> None:
        unknown = PROBE.model_copy(update={"backbone": "no_such"})
        with pytest.raises(SpecError, match="no_such"):
            run_trial_in_host(proposal("t0", unknown), Hosted(HereHandle(cached), EVERY), Reporter())  # type: ignore[arg-type]
