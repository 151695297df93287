"""What the search calls: trials in one process, in a group, and heads that are trained together."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from tests.fixtures.learner_trials import EVERY, PROBE, Told, Trial, proposal

from graft.core.errors import SpecError
from graft.core.heartbeat import FolderBoard, Pulse
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.prefix import Prefix
from graft.learner.supervised import SupervisedFactory
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
from graft.search.protocol import Checkpoint, Proposal
from graft.spec.components.head import MlpHead
from graft.spec.strategy import Strategy
from graft.training import rendezvous
from graft.training.checkpoint import load_state, save_state
from graft.training.world import ALONE
from graft.workers.heads_host import HeadsHost

T = TypeVar("T")


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

    def test_a_worker_in_the_place_of_one_that_died_says_so_once(self, here: Trial) -> None:
        channel = Channel(ended_by="a worker died")
        train_in_group(proposal(epochs=2), here.payload(), channel)  # type: ignore[arg-type]
        first, second = (message.notes for message in channel.messages)
        assert first == ("a worker died; others go on from its newest checkpoint",)
        assert second == ()

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
    nodes = ()

    def __init__(self, is_abandoned: bool = False, ended_by: str = "") -> None:
        self.messages: list[Message] = []
        self.ended_by = ended_by
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
        self.run(replace(cached, heartbeats=FolderBoard(tmp_path)), self.STRATEGIES)
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
