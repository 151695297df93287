"""Keeps Ray Tune's trials and ours together, and carries the conductor's actions out on Tune's controller."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import ray
from ray._private.state import state as cluster_state

from graft.search.conductor import Conductor
from graft.search.protocol import Checkpoint, GoOn, Others, Proposal, SearchObserver, Stop, Verdict
from graft.spec.strategy import Strategy

# What a trial's config holds, and what its reports hold beside metrics.
PROPOSAL = "proposal"
METRIC, EPOCH, NODES, NOTES = "graft_metric", "graft_epoch", "graft_nodes", "graft_notes"
FAILURE, LOG = "graft_failure", "graft_log"
# A process starts in 3 to 5 s, on a busy machine in twice that; a held one that makes room too early costs a restart.
STARVED_S = 20.0
# How often it is asked whether a trial lacks workers.
ASK_S = 5.0
# How often, when no trial is to begin any more, it is asked whether those that train have room on fewer nodes.
PACK_S = 5.0


class Places:
    """Which nodes train which trial now: those of its latest report, before the first the one of its process."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[str, ...]] = {}
        self._actors: dict[str, Any] = {}
        self._died: dict[str, set[str]] = {}
        self._ended_by_us: set[str] = set()
        self._used: set[str] = set()

    def begin(self, trial: str, actor: Any) -> None:
        """It has a process, the first or another."""
        self._nodes.pop(trial, None)
        self._actors[trial] = actor

    def report(self, trial: str, nodes: tuple[str, ...]) -> None:
        """It was trained there."""
        self._nodes[trial] = nodes
        self._used.update(nodes)

    def end(self, trial: str) -> None:
        """It is trained nowhere."""
        self._nodes.pop(trial, None)
        self._actors.pop(trial, None)

    def die(self, trial: str) -> tuple[str, ...]:
        """Its process has died; returns where. Whoever looks at nodes may see only later that one is lost."""
        nodes = self._nodes.pop(trial, ()) or (_node_of(self._actors.get(trial)),)
        self.end(trial)
        for node in nodes:
            self._died.setdefault(node, set()).add(trial)
        return nodes

    def begin_again(self, trials: Iterable[str]) -> None:
        """End the processes of trials whose node was away: what they said then may be lost, and waited for for ever."""
        for trial in trials:
            actor = self._actors.get(trial)
            if actor is not None:
                self._ended_by_us.add(trial)
                ray.kill(actor)

    def were_ended(self, trial: str) -> bool:
        """Whether a process that died was ended by `begin_again`; asked once a death."""
        is_ours = trial in self._ended_by_us
        self._ended_by_us.discard(trial)
        return is_ours

    def settled(self, among: Collection[str]) -> dict[str, list[str]]:
        """Those of these trials that have reported from the one node where they are, by that node; the other nodes that
        trials have reported from have none.
        """
        found: dict[str, list[str]] = {node: [] for node in self._used}
        for trial, nodes in self._nodes.items():
            if trial in among and len(nodes) == 1:
                found[nodes[0]].append(trial)
        return found

    def on(self, node: str) -> list[str]:
        """The trials on a node, by Ray's id of it; asks the head for those that have not reported yet."""
        known, actors = dict(self._nodes), dict(self._actors)
        found = [trial for trial, nodes in known.items() if node in nodes]
        begun = (trial for trial in actors.keys() - known.keys() if _node_of(actors[trial]) == node)
        return sorted({*found, *begun, *self._died.get(node, ())})


def are_lost(nodes: Collection[str]) -> bool:
    """Whether one of these nodes is gone, or is about to be taken away, so that what dies there is not to blame."""
    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    return not alive.issuperset(nodes) or not cluster_state.get_draining_nodes().keys().isdisjoint(nodes)


def _node_of(actor: Any) -> str:
    if actor is None:
        return ""
    known = cluster_state.actor_table(actor._actor_id.hex()) or {}
    return str((known.get("Address") or {}).get("NodeID", ""))


Keep = Callable[[int], None]
"""``keep(count)``: from now on, so many trials need workers at once, and no more."""

Pack = Callable[[Mapping[str, Sequence[str]]], None]
"""``pack(trials)``: these, by the nodes of this search, can move now, and none is to begin: let nodes go that need not
be there.
"""


class TuneBridge:
    """Keeps Tune's trials and ours together.

    Tune pickles scheduler, searcher and callbacks into its snapshots; ours lead to open files, and a search is resumed
    from the journal, so there is nothing in them.
    """

    def __init__(
        self,
        conductor: Conductor,
        observer: SearchObserver,
        is_starved: Callable[[], bool] = lambda: False,
        places: Places | None = None,
        keep: Keep = lambda count: None,
        pack: Pack = lambda trials: None,
    ) -> None:
        self.conductor, self.places = conductor, places or Places()
        self._keep, self._pack = keep, pack
        self._needed: int | None = None
        self._observer = observer
        self._lacks_workers = is_starved
        self._asked = self._packed = 0.0
        self._tune_trials: dict[str, Any] = {}
        self._new: list[Proposal] = []
        self._again: list[tuple[Any, Proposal]] = []
        self._waiting_since: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def new(self) -> Proposal | None:
        """What Tune is to make a trial of."""
        self._ask()
        return self._new.pop(0) if self._new else None

    def again(self) -> Any | None:
        """A trial that Tune has paused and is to start again, with its proposal put in."""
        self._ask()
        if not self._again:
            return None
        trial, proposal = self._again.pop(0)
        trial.set_config({**trial.config, PROPOSAL: to_config(proposal)})
        return trial

    def act(self, controller: Any) -> None:
        """Do with held processes what has been decided."""
        for name, action in self.conductor.take_actions().items():
            trial = self._tune_trials.get(name)
            if trial is None or trial.is_finished():
                continue
            if isinstance(action, GoOn):
                controller._tune_controller._schedule_trial_train(trial)
            elif isinstance(action, Stop):
                controller.stop_trial(trial)
            else:
                self._again.append((trial, action))
        self._let_go(controller)
        suspended = self.conductor.to_suspend(self._is_starved(controller))
        if suspended is not None:
            controller.pause_trial(self._tune_trials[suspended], should_checkpoint=False)

    def reported(self, trial: Any, result: Mapping[str, Any]) -> Verdict:
        """What a trial is to do after an epoch."""
        name = name_of(trial)
        nodes = tuple(result[NODES].split(","))
        self.places.report(name, nodes)
        self._observer.on_placed(name, nodes)
        for note in result[NOTES].splitlines():
            self._observer.on_note(name, note)
        metrics = {key: value for key, value in result.items() if _is_metric(key) and isinstance(value, int | float)}
        return self.conductor.reported(name, int(result[EPOCH]), metrics)

    def left(self, trial: Any, why: str) -> None:
        """A trial's process has ended because its node is to go."""
        self._observer.on_note(name_of(trial), why)

    def started(self, trial: Any) -> None:
        """Tune has started a process for the trial, the first or another."""
        self._tune_trials[name_of(trial)] = trial
        self.places.begin(name_of(trial), trial.temporary_state.ray_actor)

    def _let_go(self, controller: Any) -> None:
        """Give back what no trial will use any more: a node that is idle can leave.

        Tune keeps the process of a trial that has ended for the next one, and its resources with it, until the search
        is over; where there is no next one, that is as long as the longest trial takes.
        """
        needed = self.conductor.needed
        if needed != self._needed:
            self._needed = needed
            self._keep(needed)
        tune_controller = controller._tune_controller
        # One that holds a slot again may not have been given its process yet.
        waits = any(trial.status in (trial.PENDING, trial.PAUSED) for trial in controller.get_trials())
        if not self.conductor.is_complete or waits:
            return
        if tune_controller._actor_cache.num_cached_objects:
            tune_controller._cleanup_cached_actors(force_all=True)
        elif time.monotonic() - self._packed > PACK_S:
            self._packed = time.monotonic()
            self._pack(self.places.settled(self.conductor.training))

    def _is_starved(self, controller: Any) -> bool:
        """Whether a trial has waited for a process for so long that there may be no room for one."""
        if time.monotonic() - self._asked > ASK_S:
            self._asked = time.monotonic()
            if self._lacks_workers():
                return True
        is_waiting = any(trial.status == trial.PENDING for trial in controller.get_trials())
        self._waiting_since = (self._waiting_since or time.monotonic()) if is_waiting else None
        if self._waiting_since is None or time.monotonic() - self._waiting_since < STARVED_S:
            return False
        self._waiting_since = None  # one after the other: the first that makes room may be enough
        return True

    def _ask(self) -> None:
        while (proposal := self.conductor.next()) is not None:
            trial = self._tune_trials.get(proposal.trial)
            if trial is None or trial.is_finished():
                self._new.append(proposal)
            else:
                self._again.append((trial, proposal))


def name_of(trial: Any) -> str:
    """Our name of a trial of Tune's; one whose process died is another trial to Tune, of the same name to us."""
    return str(trial.config[PROPOSAL]["trial"])


def _is_metric(key: str) -> bool:
    """Tune's results also hold the whole config, flattened."""
    return "/" in key and not key.startswith("config/")


def to_config(proposal: Proposal) -> dict[str, Any]:
    """A proposal as plain data, which Tune copies and compares."""
    start, others = proposal.start, proposal.others
    return {
        "trial": proposal.trial,
        "strategy": proposal.strategy.model_dump(mode="json"),
        "start": None if start is None else [start.trial, start.segment, start.epoch],
        "segment": proposal.segment,
        "epochs": proposal.epochs,
        "phase": proposal.phase,
        "reported": proposal.reported,
        "runs_to_end": proposal.runs_to_end,
        "length": proposal.length,
        "others": None if others is None else [others.until, others.scoring],
    }


def from_config(config: Mapping[str, Any]) -> Proposal:
    """The proposal again, in the trial's process."""
    start = config["start"]
    return Proposal(
        trial=config["trial"],
        strategy=Strategy.model_validate(config["strategy"]),
        start=None if start is None else Checkpoint(*start),
        segment=config["segment"],
        epochs=config["epochs"],
        phase=config["phase"],
        reported=config["reported"],
        runs_to_end=config["runs_to_end"],
        length=config["length"],
        others=None if config["others"] is None else Others(*config["others"]),
    )
