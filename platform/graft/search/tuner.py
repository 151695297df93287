"""Runs a search on Ray Tune: one function trainable in reused actors, one report an epoch (Ray 2.60).

Process start and ``import torch`` cost 3–5 s; a reused actor pays them once, not once a trial. The data is put into
Ray's object store once and handed to every trial by reference.
"""

import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from graft.search.protocol import Proposal, Proposer, SearchObserver, TrialEnd, TrialFunction
from graft.search.schedulers import METRIC, Asha, Fifo, build_scheduler
from graft.spec.metrics import MetricSpec
from graft.spec.search import Asha as AshaSpec
from graft.spec.search import NoScheduler as NoSchedulerSpec
from graft.spec.strategy import Strategy
from graft.tracking.events import TrialStatus

FAILURE = "graft_failure"
PROPOSAL = "proposal"


@dataclass(frozen=True)
class SearchRequest:
    """What a search needs to know.

    Attributes:
        name: of the experiment; Tune's own files lie under `storage`/`name`.
        metric: what trials are compared by; a report must hold ``val/<name>``.
        epochs: the most a trial trains.
        cpus, gpus: what one trial occupies.
        concurrent: how many trials run at once.
        is_out_of_time: asked after every report; True ends the search with what is there.
    """

    name: str
    storage: Path
    metric: MetricSpec
    epochs: int
    scheduler: NoSchedulerSpec | AshaSpec
    cpus: float
    gpus: float
    concurrent: int
    is_out_of_time: Callable[[], bool] = lambda: False


def run_search(
    request: SearchRequest,
    proposer: Proposer,
    trial_fn: TrialFunction,
    payload: Any,
    observer: SearchObserver,
) -> None:
    """Run trials until the proposer has no more, time is out, or the user interrupts; Ray must be up.

    Trials that are cut short by the end of the search are reported to the observer as interrupted.
    """
    _quieten_tune()
    relay = _ObserverRelay(request, proposer, observer)
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(_run_trial, trial_fn=trial_fn, payload=payload, metric=request.metric),
            {"cpu": request.cpus, "gpu": request.gpus},
        ),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=_ProposerSearch(relay),
            scheduler=relay.scheduler,
            max_concurrent_trials=request.concurrent,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=request.name,
            storage_path=str(request.storage),
            stop=_EndOfTime(request.is_out_of_time),
            callbacks=[_EventCallback(relay)],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        relay.close()


def _trial_name(trial: Any) -> str:
    return str(trial.config[PROPOSAL]["trial"])


def _quieten_tune() -> None:
    # The journal is our record of results: Tune's own JSON, CSV and TensorBoard files would only cost time.
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    # Ctrl-C is the caller's business: it asks `is_out_of_time`.
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")


class _ObserverRelay:
    """Keeps Tune's trial ids and ours together, and tells the observer each thing exactly once."""

    def __init__(self, request: SearchRequest, proposer: Proposer, observer: SearchObserver) -> None:
        self.scheduler: Asha | Fifo = build_scheduler(request.scheduler, request.metric, request.epochs)
        self._epochs = request.epochs
        self._proposer = proposer
        self._observer = observer
        self._proposed: dict[str, Proposal] = {}
        self._running: dict[str, Proposal] = {}

    def propose(self, trial_id: str) -> dict[str, Any] | None:
        proposal = self._proposer.propose(self._observer.on_duplicate)
        if proposal is None:
            return None
        self._proposed[trial_id] = proposal
        return {PROPOSAL: {"trial": proposal.trial, "strategy": proposal.strategy.model_dump(mode="json")}}

    def started(self, trial_id: str) -> None:
        self._running[trial_id] = self._proposed.pop(trial_id)
        self._observer.on_started(self._running[trial_id])

    def reported(self, trial_id: str, result: Mapping[str, Any]) -> None:
        if FAILURE in result or METRIC not in result:
            return
        metrics = {name: value for name, value in result.items() if "/" in name and isinstance(value, int | float)}
        self._observer.on_report(self._running[trial_id].trial, int(result["training_iteration"]), metrics)

    def ended(self, trial_id: str, result: Mapping[str, Any]) -> None:
        proposal = self._running.pop(trial_id, None)
        if proposal is not None:
            self._observer.on_finished(proposal.trial, self._end(trial_id, result))

    def crashed(self, trial_id: str, reason: str) -> None:
        proposal = self._running.pop(trial_id, None)
        if proposal is not None:
            self._observer.on_finished(proposal.trial, TrialEnd(TrialStatus.FAILED, reason))

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles callbacks and searcher into its snapshots; ours hold open files, and resume uses the journal.
        return {}

    def close(self) -> None:
        """Whatever still counts as running was cut short; what was only proposed has never happened."""
        for trial_id in list(self._running):
            proposal = self._running.pop(trial_id)
            end = TrialEnd(TrialStatus.INTERRUPTED, "the search ended before this trial did")
            self._observer.on_finished(proposal.trial, end)

    def _end(self, trial_id: str, result: Mapping[str, Any]) -> TrialEnd:
        if FAILURE in result:
            return TrialEnd(TrialStatus.FAILED, str(result[FAILURE]))
        stop = self.scheduler.stop_reason(trial_id)
        if stop is not None:
            return stop
        epoch = int(result.get("training_iteration", 0))
        return TrialEnd(TrialStatus.COMPLETED, f"trained {epoch} of at most {self._epochs} epochs")


class _ProposerSearch(Searcher):
    """Hands our proposals to Tune."""

    def __init__(self, relay: _ObserverRelay) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._relay = relay

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        return self._relay.propose(trial_id) or Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Random search learns nothing from results."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal has every proposal, and a resumed search draws them again from its seed."""

    def restore(self, checkpoint_path: str) -> None:
        """See `save`."""


class _EventCallback(tune.Callback):
    """Tune's events, passed on."""

    def __init__(self, relay: _ObserverRelay) -> None:
        self._relay = relay

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._relay.started(trial.trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._relay.reported(trial.trial_id, result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._relay.ended(trial.trial_id, trial.last_result or {})

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = str(trial.get_error() or "").strip().splitlines()
        self._relay.crashed(trial.trial_id, f"the trial's process died: {error[-1] if error else 'no message'}")


class _EndOfTime(Stopper):
    """Ends the whole search when the budget says so."""

    def __init__(self, is_out_of_time: Callable[[], bool]) -> None:
        self._is_out_of_time = is_out_of_time

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._is_out_of_time()


class _TuneReporter:
    """Reports to Tune from inside a trial's actor."""

    def __init__(self, metric: MetricSpec) -> None:
        self._metric = metric

    def report(self, metrics: Mapping[str, float]) -> None:
        tune.report({**metrics, METRIC: metrics[f"val/{self._metric.name}"]})

    def fail(self, reason: str) -> None:
        # NaN keeps the failed trial out of the rungs' percentiles, which skip it.
        tune.report({FAILURE: reason, METRIC: float("nan"), "done": True})


def _run_trial(config: dict[str, Any], trial_fn: TrialFunction, payload: Any, metric: MetricSpec) -> None:
    """The function trainable. A failing trial says so and ends normally, so that its actor can be used again."""
    reporter = _TuneReporter(metric)
    proposal = Proposal(config[PROPOSAL]["trial"], Strategy.model_validate(config[PROPOSAL]["strategy"]))
    try:
        trial_fn(proposal, payload, reporter)
    except Exception as error:
        traceback.print_exc()
        reporter.fail(f"{type(error).__name__}: {error}".splitlines()[0])
