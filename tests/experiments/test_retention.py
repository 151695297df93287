"""Weights that somebody may still ask for stay; nothing else does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.experiments.retention import Kept, Retention
from graft.journal.events import Event, TrialRetried, TrialStatus
from graft.learner.checkpoints import CheckpointStore
from graft.search.protocol import Checkpoint
from graft.spec.outputs import KeepSpec
from graft.spec.tasks.lookup import metric_named


class Search:
    """Trials that leave a state every epoch, and their best epoch; `tell` is what the journal would do."""

    def __init__(
        self, store: CheckpointStore, progress: Progress, best: int | None = 2, feeding: tuple[int, ...] = ()
    ) -> None:
        self.store, self.progress = store, progress
        self.history = SearchHistory(metric_named("accuracy"))
        self._best, self._feeding = best, frozenset(feeding)
        self._retention = Retention(store, progress, Kept(best=best), self._feeding)

    def tell(self, *happened: Event) -> None:
        for event in happened:
            if type(event).__name__ == "TrialReported":
                self._leave(event.trial, event.epoch)  # type: ignore[attr-defined]
            self.progress.apply(event)
            self.history.apply(event)
            self._retention.apply(event)

    def go_on_after_a_break(self) -> None:
        """Only the journal is left."""
        self._retention = Retention(self.store, self.progress, Kept(best=self._best), self._feeding, self.history.past)

    def states(self, trial: str) -> list[tuple[int, int]]:
        return [(one.segment, one.epoch) for one in reversed(self.store.of_trial(trial))]

    def best_files(self) -> set[str]:
        return {path.parent.name for path in self.store.directory.glob("*/best.safetensors")}

    def _leave(self, trial: str, epoch: int) -> None:
        for file in (
            self.store.state_file(Checkpoint(trial, self.progress.trials[trial].segment, epoch)),
            self.store.best_file(trial),
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


@pytest.fixture
def make(tmp_path: Path, fold: Callable[..., Progress]) -> Callable[..., Search]:
    return lambda **options: Search(CheckpointStore(tmp_path / "checkpoints"), fold(), **options)


def test_a_running_trial_keeps_its_newest_two(make: Callable[..., Search], trials: Any) -> None:
    search = make()
    search.tell(*trials.of("t01", [0.1, 0.2, 0.3, 0.4], None))
    assert search.states("t01") == [(0, 3), (0, 4)]


def test_a_donors_state_stays_until_its_copier_has_reported(make: Callable[..., Search], trials: Any) -> None:
    search = make()
    search.tell(*trials.of("t01", [0.5, 0.6], None), *trials.of("t02", [0.1, 0.2], None))
    search.tell(trials.exploited("t02", "t01", 2))
    search.tell(*(trials.reported("t01", epoch, 0.7) for epoch in (3, 4, 5)))
    assert search.states("t01") == [(0, 2), (0, 4), (0, 5)]
    search.tell(trials.reported("t02", 3, 0.9), trials.reported("t01", 6, 0.7))
    assert search.states("t01") == [(0, 5), (0, 6)]


def test_a_donor_that_ends_leaves_what_is_still_asked_for(make: Callable[..., Search], trials: Any) -> None:
    search = make()
    search.tell(*trials.of("t01", [0.5, 0.6], None), *trials.of("t02", [0.1, 0.2], None))
    search.tell(trials.exploited("t02", "t01", 2), trials.reported("t01", 3, 0.7), trials.ended("t01"))
    assert search.states("t01") == [(0, 2)]
    search.tell(trials.reported("t02", 3, 0.9))
    assert search.states("t01") == []


def test_a_break_does_not_unpin_it(make: Callable[..., Search], trials: Any) -> None:
    search = make()
    search.tell(*trials.of("t01", [0.5, 0.6], None), *trials.of("t02", [0.1, 0.2], None))
    search.tell(trials.exploited("t02", "t01", 2))
    search.tell(trials.ended("t01", TrialStatus.INTERRUPTED), trials.ended("t02", TrialStatus.INTERRUPTED))
    search.go_on_after_a_break()
    # t01 gets the only slot first
    search.tell(trials.started("t01"), *(trials.reported("t01", epoch, 0.7) for epoch in (3, 4)), trials.ended("t01"))
    assert search.states("t01") == [(0, 2)]
    search.tell(trials.started("t02", start=("t01", 0, 2)), trials.reported("t02", 3, 0.9), trials.ended("t02"))
    assert search.states("t02") == []


def test_after_a_break_what_was_reported_is_not_pinned(make: Callable[..., Search], trials: Any) -> None:
    search = make()
    search.tell(*trials.of("t01", [0.5, 0.6], None), *trials.of("t02", [0.1, 0.2], None))
    search.tell(trials.exploited("t02", "t01", 2), trials.reported("t02", 3, 0.9))
    search.go_on_after_a_break()
    search.tell(trials.ended("t01"))
    assert search.states("t01") == []


def test_a_trial_that_goes_on_from_another_pins_it(make: Callable[..., Search], trials: Any) -> None:
    search = make(feeding=(0,))
    search.tell(*trials.of("t01", [0.5, 0.6]))
    search.tell(trials.started("t02", phase=1, start=("t01", 0, 1)), trials.started("t01"))
    search.tell(trials.reported("t01", 3, 0.1))
    assert search.states("t01") == [(0, 1), (0, 2), (0, 3)]
    search.tell(trials.reported("t02", 2, 0.1), trials.reported("t01", 4, 0.1))
    assert search.states("t01") == [(0, 3), (0, 4)]


def test_a_trial_whose_end_feeds_the_next_phase_keeps_its_last(make: Callable[..., Search], trials: Any) -> None:
    search = make(feeding=(0,))
    search.tell(*trials.of("t01", [0.1, 0.2, 0.3]))
    search.tell(*trials.of("t02", [0.1, 0.2, 0.3], phase=1))
    assert search.states("t01") == [(0, 2), (0, 3)]
    assert search.states("t02") == []


def test_a_trial_that_was_cut_off_keeps_everything(make: Callable[..., Search], trials: Any) -> None:
    search = make(best=1)
    search.tell(*trials.of("t01", [0.9]), *trials.of("t02", [0.1, 0.2], TrialStatus.INTERRUPTED))
    assert search.states("t02") == [(0, 1), (0, 2)]
    assert search.best_files() == {"t01", "t02"}


def test_the_best_of_losers_go_as_they_end(make: Callable[..., Search], trials: Any) -> None:
    search = make(best=2)
    search.tell(*trials.of("t01", [0.5]), *trials.of("t02", [0.9]), *trials.of("t03", [0.7], None))
    assert search.best_files() == {"t01", "t02", "t03"}
    search.tell(trials.ended("t03", TrialStatus.STOPPED))
    assert search.best_files() == {"t02", "t03"}
    search.tell(*trials.of("t04", [0.1]))
    assert search.best_files() == {"t02", "t03"}


def test_a_trial_that_waits_to_go_on_is_no_loser(make: Callable[..., Search], trials: Any) -> None:
    search = make(best=1)
    search.tell(*trials.of("t01", [0.5], TrialStatus.INTERRUPTED))
    search.go_on_after_a_break()
    search.tell(*trials.of("t02", [0.9]))
    assert search.best_files() == {"t01", "t02"}
    search.tell(trials.started("t01"), trials.reported("t01", 2, 0.6), trials.ended("t01"))
    assert search.best_files() == {"t02"}


def test_a_trial_that_has_failed_can_be_tried_again_from_where_it_was(make: Callable[..., Search], trials: Any) -> None:
    search = make()
    search.tell(*trials.of("t01", [0.1, 0.2, 0.3], TrialStatus.FAILED), *trials.of("t02", [0.5]))
    assert search.states("t01") == [(0, 2), (0, 3)]
    search.go_on_after_a_break()
    search.tell(TrialRetried("t01"), trials.reported("t01", 4, 0.7), trials.ended("t01"))
    assert search.states("t01") == []


def test_what_a_failed_trial_has_copied_stays_until_it_stands_alone(make: Callable[..., Search], trials: Any) -> None:
    search = make()
    search.tell(*trials.of("t01", [0.5, 0.6], None), *trials.of("t02", [0.1, 0.2], None))
    search.tell(trials.exploited("t02", "t01", 2), trials.ended("t02", TrialStatus.FAILED))
    search.tell(*(trials.reported("t01", epoch, 0.7) for epoch in (3, 4)), trials.ended("t01"))
    assert search.states("t01") == [(0, 2)]
    search.tell(TrialRetried("t02"))
    search.go_on_after_a_break()
    search.tell(*trials.of("t03", [0.1]))
    assert search.states("t01") == [(0, 2)]
    search.tell(trials.reported("t02", 3, 0.9))
    assert search.states("t01") == []


def test_all_best_weights_stay_if_losers_are_kept(make: Callable[..., Search], trials: Any) -> None:
    search = make(best=None)
    for name, score in (("t01", 0.5), ("t02", 0.9), ("t03", 0.1)):
        search.tell(*trials.of(name, [score]))
    assert search.best_files() == {"t01", "t02", "t03"}


def test_how_much_is_kept_is_the_jobs_wish_and_what_the_run_needs() -> None:
    assert Kept.of(KeepSpec(), 1) == Kept(newest=2, best=2)
    assert Kept.of(KeepSpec(checkpoints=3, losers=0), 1) == Kept(newest=3, best=1)
    assert Kept.of(KeepSpec(losers=0), 5).best == 5
    assert Kept.of(KeepSpec(losers="all"), 5).best is None
