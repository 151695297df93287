"""Executes a search on Ray Tune: one function trainable in reused actors, one report an epoch (Ray 2.60).

Process start and ``import torch`` cost 3–5 s; a reused actor pays them once, not once a trial. The data is put into
Ray's object store once and handed to every trial by reference.

Tune runs the processes; every decision is the conductor's. Tune holds no checkpoint and restores none: what a trial
goes on from is part of its proposal, so an exploit, a pause, a crash and a resumed experiment are all the same to it.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.error import TuneError
from ray.tune.execution import class_cache
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from graft.core.credentials import is_secret
from graft.core.errors import GraftError, NodeLeaving
from graft.core.heartbeat import Board, Pulse
from graft.core.machine_faults import memory_kills
from graft.core.passing_errors import lacks_memory
from graft.journal.events import TrialStatus
from graft.search.conductor import Conductor
from graft.search.protocol import GoOn, SearchObserver, Stop, TrialEnd, TrialFunction
from graft.search.tune_bridge import (
    EPOCH,
    FAILURE,
    LOG,
    METRIC,
    NODES,
    NOTES,
    PROPOSAL,
    Keep,
    Pack,
    Places,
    TuneBridge,
    are_lost,
    from_config,
    name_of,
    to_config,
)
from graft.search.tune_environment import tune_environment
from graft.spec.metrics import MetricSpec

# What an error says of a process that died with its node, or has left it (Ray 2.60).
NODE_LOST = ("its node has died", "Actor died by preemption", NodeLeaving.__name__)
# The error that Ray raises where its own monitor has ended a process (Ray 2.60).
MEMORY_WATCHED = "OutOfMemoryError"
LESS_MEMORY = "lower strategy.batch_size, or resources.concurrent_trials"
# Characters of a crashed trial's log that are kept.
MAX_LOG = 16_000


@dataclass(frozen=True)
class Execution:
    """What the execution of a search needs to know.

    Attributes:
        name: Tune's own files lie under `storage`/`name`.
        metric: what trials are compared by; a report must hold ``val/<name>``.
        resources: what one trial's process occupies, by Ray's names; something in it must be above 0.
        slots: how many trials run at once.
        is_over: asked after every report; True ends the search with what is there.
        is_starved: asked now and then: whether a trial has a process, but not what that needs to train.
        heartbeats: where the processes of trials show that they are alive; None if nobody looks.
        places: is told which nodes train which trial.
        labels: of the nodes that a trial's process may be on.
        keep: told how many trials need workers at once, whenever that changes.
        pack: told which trials can move, and from where, when none is to begin any more.
    """

    name: str
    storage: Path
    metric: MetricSpec
    resources: Mapping[str, float]
    slots: int
    is_over: Callable[[], bool] = lambda: False
    is_starved: Callable[[], bool] = lambda: False
    heartbeats: Board | None = None
    places: Places = field(default_factory=Places)
    labels: Mapping[str, str] = field(default_factory=dict)
    keep: Keep = lambda count: None
    pack: Pack = lambda trials: None

    @property
    def placement(self) -> tune.PlacementGroupFactory:
        """What Tune asks Ray for, for each trial."""
        bundle = {kind: amount for kind, amount in self.resources.items() if amount}
        selector = {"bundle_label_selector": [dict(self.labels)]} if self.labels else {}
        return tune.PlacementGroupFactory([bundle], **selector)


def run_search(
    execution: Execution, conductor: Conductor, observer: SearchObserver, trial_fn: TrialFunction, payload: Any
) -> None:
    """Run trials until the conductor has no more, or the search is over; Ray must be up.

    Trials that are cut short by the end of the search are reported to the observer as interrupted.

    Raises:
        GraftError: what the observer has raised.
    """
    _keep_secrets_at_home()
    with tune_environment(execution.slots):
        _fit(execution, conductor, observer, trial_fn, payload)


def _fit(
    execution: Execution, conductor: Conductor, observer: SearchObserver, trial_fn: TrialFunction, payload: Any
) -> None:
    bridge = TuneBridge(conductor, observer, execution.is_starved, execution.places, execution.keep, execution.pack)
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(
                _run_trial, trial_fn=trial_fn, payload=payload, metric=execution.metric, heartbeats=execution.heartbeats
            ),
            execution.placement,
        ),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=_ConductedSearch(bridge),
            scheduler=_ConductedScheduler(bridge),
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=execution.name,
            storage_path=str(execution.storage),
            stop=_EndOfSearch(execution.is_over),
            callbacks=[_Events(bridge)],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except TuneError as error:
        # Tune makes a text of what conductor and observer raise, such as a journal whose disk is full.
        cause = _own_error(error)
        if cause is None:
            raise
        raise cause from error
    finally:
        conductor.close()


def _own_error(error: BaseException | None) -> GraftError | None:
    """The error of ours that another one was made of, if there is one."""
    while error is not None and not isinstance(error, GraftError):
        error = error.__cause__ or error.__context__
    return error


def _trial_name(trial: Any) -> str:
    """Unique: a trial whose process died is another one to Tune."""
    return f"{trial.config[PROPOSAL]['trial']}-{trial.trial_id}"


def _keep_secrets_at_home() -> None:
    """Tune copies AWS keys into the runtime environment of every trial, which Ray logs in clear.

    Workers of a local session inherit the driver's environment anyway; the nodes of a cluster have credentials of
    their own.
    """
    class_cache.ENV_VARS_TO_PROPAGATE -= {name for name in class_cache.ENV_VARS_TO_PROPAGATE if is_secret(name)}


class _ConductedSearch(Searcher):
    """Hands the conductor's proposals to Tune."""

    def __init__(self, bridge: TuneBridge) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._stage = bridge

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        proposal = self._stage.new()
        if proposal is not None:
            return {PROPOSAL: to_config(proposal)}
        # Not before: once a search is finished, Tune no longer keeps the process of a paused trial.
        return Searcher.FINISHED if self._stage.conductor.is_done else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The conductor hears it from the callback."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal has everything."""

    def restore(self, checkpoint_path: str) -> None:
        """See `save`."""


class _ConductedScheduler(FIFOScheduler):
    """Answers Tune with the conductor's verdicts."""

    def __init__(self, bridge: TuneBridge) -> None:
        super().__init__()
        self._stage = bridge

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if FAILURE in result or METRIC not in result:
            return str(TrialScheduler.CONTINUE)
        verdict = self._stage.reported(trial, result)
        if isinstance(verdict, GoOn):
            return str(TrialScheduler.CONTINUE)
        # A held trial stays as it is, its process waiting in `report`: no pause, no restart, if it may go on.
        return str(TrialScheduler.STOP if isinstance(verdict, Stop) else TrialScheduler.NOOP)

    def choose_trial_to_run(self, tune_controller: Any) -> Any | None:
        """Tune asks this at every step of its loop, so this is where held trials are acted on."""
        self._stage.act(tune_controller)
        again = self._stage.again()
        if again is None:
            # Tune starts new trials by itself; its own scheduler would wake paused ones, for which nothing is decided.
            return None
        if again.status == again.RUNNING:
            # Pausing puts the process into Tune's cache, from where the same trial takes it in this same step.
            tune_controller.pause_trial(again, should_checkpoint=False)
        return again


class _Events(tune.Callback):
    """Tune's events, passed on."""

    def __init__(self, bridge: TuneBridge) -> None:
        self._stage, self._deaths = bridge, Deaths()
        self._here = str(ray.get_runtime_context().get_node_id())

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._stage.started(trial)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        result = trial.last_result or {}
        if FAILURE in result:
            end = TrialEnd(TrialStatus.FAILED, str(result[FAILURE]), log=str(result.get(LOG, "")))
        else:
            end = TrialEnd(TrialStatus.COMPLETED, f"trained {int(result.get(EPOCH, 0))} epochs")
        self._stage.places.end(name_of(trial))
        self._stage.conductor.ended(name_of(trial), end)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = str(trial.get_error() or "").strip()
        last = error.splitlines()[-1] if error else ""
        nodes = self._stage.places.die(name_of(trial))
        told = self._deaths.reason(error, self._here in nodes)
        was_away = self._stage.places.were_ended(name_of(trial))
        is_node_lost = was_away or any(why in error for why in NODE_LOST) or are_lost(nodes)
        if NodeLeaving.__name__ in last:
            self._stage.left(trial, last.partition(": ")[2])
        self._stage.conductor.crashed(name_of(trial), told, _end_of(error), is_node_lost)


class Deaths:
    """Tells of each death why, as long as a search runs.

    Args:
        count_kills: how many processes the kernel of this machine has ended for lack of memory so far.
    """

    def __init__(self, count_kills: Callable[[], int] = memory_kills) -> None:
        self._count_kills = count_kills
        self._counted = count_kills()

    def reason(self, error: str, was_here: bool) -> str:
        """Why a process died; the kernel's count is looked at once a death.

        Args:
            error: what Ray says of it.
            was_here: whether it ran on this machine, of whose memory alone the kernel here tells.
        """
        kills, before = self._count_kills(), self._counted
        self._counted = kills
        if MEMORY_WATCHED in error:
            return f"the trial's process was ended by Ray because memory was running out; {LESS_MEMORY}"
        if was_here and kills > before:
            return f"the trial's process was ended by the kernel because memory ran out; {LESS_MEMORY}"
        last = error.splitlines()[-1] if error else "no message"
        return f"the trial's process died: {last}"


class _EndOfSearch(Stopper):
    """Ends the whole search when the budget says so."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._is_over()


class _TuneReporter:
    """Reports to Tune from inside a trial's actor."""

    def __init__(self, metric: MetricSpec) -> None:
        self._metric = metric

    def report(
        self, epoch: int, metrics: Mapping[str, float], nodes: Sequence[str] = (), notes: Sequence[str] = ()
    ) -> None:
        # Tune flattens and compares results: plain values only.
        where = ",".join(nodes or [ray.get_runtime_context().get_node_id()])
        told = {EPOCH: epoch, NODES: where, NOTES: "\n".join(notes)}
        tune.report({**metrics, METRIC: metrics[f"val/{self._metric.name}"], **told})

    def fail(self, reason: str, log: str = "") -> None:
        tune.report({FAILURE: reason, LOG: log, METRIC: float("nan"), "done": True})


def _run_trial(
    config: dict[str, Any], trial_fn: TrialFunction, payload: Any, metric: MetricSpec, heartbeats: Board | None
) -> None:
    """The function trainable. A failing trial says so and ends normally, so that its actor can be used again."""
    reporter = _TuneReporter(metric)
    try:
        with Pulse(heartbeats, config[PROPOSAL]["trial"]):
            trial_fn(from_config(config[PROPOSAL]), payload, reporter)
    except NodeLeaving:
        raise  # this process must not be used again
    except Exception as error:
        traceback.print_exc()
        reporter.fail(_reason_of(error), _end_of(traceback.format_exc()))


def _end_of(log: str) -> str:
    """What says why is at the end; a record of the journal must stay small."""
    return log if len(log) <= MAX_LOG else f"…{log[-MAX_LOG:]}"


def _reason_of(error: BaseException) -> str:
    """Why a trial failed that could still say so."""
    said = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
    return f"ran out of memory ({said}); {LESS_MEMORY}" if lacks_memory(error) else said
