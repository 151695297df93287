"""What every scheduler must keep, played on learning curves. A new kind adds one row to `SPECS`.

- every trial ends once, nothing hangs, and nobody trains past the end of the phase;
- a trial is held only where it has left a checkpoint, and is told in one line why it is stopped;
- the same calls give the same decisions, whatever the clock, the order of a hash or the direction of the metric;
- the best of trials that never change places is not stopped, and none is that runs to its end whatever it reports;
- what a population copies is there to be copied, and what it changes may be changed.
"""

import hashlib
import heapq
import itertools
import math
import os
import random
import subprocess
import sys
import time
import typing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graft.search.protocol import Checkpoint, Exploit, GoOn, Hold, Proposal, Report, Stop
from graft.search.schedulers.build import build_scheduler
from graft.spec.registry import members
from graft.spec.search import schedulers as spec
from graft.spec.search.phases import Phase
from graft.spec.search.searchers import RandomSearcher
from graft.spec.space.distributions import Choice
from graft.spec.space.mutation import MUTABLE, is_mutable
from graft.spec.space.nodes import Component, Value
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.lookup import metric_named

SPECS = {
    "none": [spec.NoScheduler()],
    "asha": [spec.Asha(), spec.Asha(grace_epochs=2, reduction_factor=2)],
    "hyperband": [spec.HyperBand(), spec.HyperBand(grace_epochs=2, reduction_factor=2)],
    "median": [spec.Median(), spec.Median(grace_epochs=2, min_trials=1)],
    "one_epoch_top_k": [spec.OneEpochTopK(), spec.OneEpochTopK(keep=1, epochs=2)],
    "pbt": [spec.Pbt(), spec.Pbt(interval=2, quantile=0.5, resample=1.0), spec.Pbt(mutate=["lr", "penalty"])],
    "pb2": [spec.Pb2(), spec.Pb2(interval=2, quantile=0.5)],
}
POPULATIONS = ("pbt", "pb2")
SPACE = StrategySpace.parse(
    {
        "backbone": {"choice": ["efficientnet_lite0", "efficientnet_lite1"]},
        "lr": {"loguniform": [1e-4, 1e-1]},
        "weight_decay": {"uniform": [0.0, 0.1]},
        "freeze": {"choice": [0.0, 0.5, 1.0]},
        "penalty": {"choice": ["none", {"kind": "l2", "strength": {"loguniform": [1e-5, 1e-2]}}]},
        "loss": {"choice": ["cross_entropy", {"kind": "focal", "gamma": {"uniform": [1.0, 3.0]}}]},
        "head": {"kind": "linear", "dropout": {"uniform": [0.0, 0.5]}},
        "batch_size": {"choice": [32, 64]},
    }
)

each_kind = pytest.mark.parametrize("kind", SPECS)
each_population = pytest.mark.parametrize("kind", POPULATIONS)
few_examples = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class World:
    """A phase, the trials it will have, and how they will learn.

    Attributes:
        scheduler: its spec.
        epochs: the most a trial trains.
        trials: how many there are.
        limit: how many the phase may have, as its scheduler knows it.
        slots: how many run at once.
        behind: epochs that some trials have behind them when they begin.
        failing: share of trials that fail, some of them while they are held.
        is_eager: whether it is known with the last trial that no more will come, or only when one more is asked for.
        are_apart: whether each trial is better than those before it at any epoch; else curves cross, and often meet.
        first: how many of the trials run to their end, the first that begin.
        seed: of everything that is drawn here, and of the scheduler.
    """

    scheduler: typing.Any
    epochs: int
    trials: int
    limit: int | None
    slots: int
    behind: int = 0
    failing: float = 0.0
    is_eager: bool = True
    are_apart: bool = False
    first: int = 0
    seed: int = 0

    def proposals(self):
        rng = random.Random(f"{self.seed} strategies")
        behind = [rng.choice([0, self.behind]) for _ in range(self.trials)]
        return [
            Proposal(
                f"t{index:02d}",
                SPACE.sample(rng),
                start=Checkpoint(f"before{index}", 0, start) if start else None,
                epochs=self.epochs,
                runs_to_end=index < self.first,
            )
            for index, start in enumerate(behind)
        ]

    def value(self, trial, epoch):
        """More is better."""
        if self.are_apart:
            return int(trial[1:]) + epoch / 1000
        rng = random.Random(f"{self.seed} curve {trial}")
        start, end, run_clock = rng.random(), rng.random(), rng.uniform(0.05, 2)
        return round(start + (end - start) * (1 - math.exp(-run_clock * epoch)), 1)

    def seconds(self, trial, epoch):
        return random.Random(f"{self.seed} seconds {trial} {epoch}").uniform(0.5, 2)

    def failures(self):
        """Trial -> at the end of which epoch it fails, and whether only if it is held there."""
        rng = random.Random(f"{self.seed} failures")
        drawn = {f"t{index:02d}": (rng.random(), rng.randint(1, self.epochs)) for index in range(self.trials)}
        return {
            trial: (epoch, chance < self.failing / 2)
            for trial, (chance, epoch) in drawn.items()
            if chance < self.failing
        }


def worlds(kind, **fixed):
    """Any world for a kind of scheduler."""
    fields = {
        "scheduler": st.sampled_from(SPECS[kind]),
        "epochs": st.integers(1, 12),
        "trials": st.integers(1, 14),
        "limit": st.sampled_from([None, 14, 20]),
        "slots": st.integers(1, 5),
        "behind": st.integers(0, 3),
        "failing": st.sampled_from([0.0, 0.5]),
        "is_eager": st.booleans(),
        "first": st.sampled_from([0, 0, 2]),
        "seed": st.integers(0, 2**16),
    }
    drawn = st.builds(World, **fields | {name: st.just(value) for name, value in fixed.items()})
    return drawn.map(lambda world: replace(world, behind=min(world.behind, world.epochs - 1)))


@dataclass
class Copy:
    """An exploit, and where it met its trial."""

    epoch: int
    donor: Proposal
    exploit: Exploit


@dataclass
class Played:
    """What happened.

    Attributes:
        calls: method, arguments and answer, in order.
        ends: trial -> how it ended, and after which epoch.
        holds: trial and epoch, each time one was held.
        stops: trial, epoch and what it was told.
        copies: every exploit.
        reported: trial, segment and epoch of every report.
    """

    calls: list = field(default_factory=list)
    ends: dict = field(default_factory=dict)
    holds: list = field(default_factory=list)
    stops: list = field(default_factory=list)
    copies: list = field(default_factory=list)
    reported: set = field(default_factory=set)

    def decisions(self):
        """Without what is told in words, which names values in the metric's own sign."""
        return [(method, _wordless(answer)) for method, _, answer in self.calls]


def _wordless(answer):
    if isinstance(answer, dict):
        return {trial: _wordless(decision) for trial, decision in answer.items()}
    return replace(answer, reason="") if isinstance(answer, Stop | Exploit) else answer


def scheduler_of(world, metric="accuracy"):
    phase = Phase(
        index=0,
        scheduler=world.scheduler,
        searcher=RandomSearcher(),
        trials=world.limit,
        epochs=world.epochs,
        from_top=world.behind > 0,
        is_population_based=world.scheduler.kind in POPULATIONS,
        feeds_next=False,
    )
    return build_scheduler(phase, metric_named(metric), world.seed, SPACE)


def play(world, metric="accuracy", cut=None):
    """Play a world to its end; after `cut` calls the scheduler is lost, and a new one hears them all again."""
    return _Play(world, metric, cut).to_the_end()


class _Play:
    """Trials run in slots, one epoch after the other; one that is held gives its slot away."""

    def __init__(self, world, metric, cut):
        self.world, self.metric, self.cut = world, metric, cut
        self.scheduler = scheduler_of(world, metric)
        self.sign = 1 if metric_named(metric).mode == "max" else -1
        self.coming, self.no_more = world.proposals(), False
        self.failures = world.failures()
        self.proposals, self.epochs = {}, {}
        self.running, self.held, self.queue, self.now = [], {}, [], 0.0
        self.played = Played()

    def to_the_end(self):
        self._fill_slots()
        while self.running:
            self.now, trial = heapq.heappop(self.running)
            self._finish_epoch(trial)
            self._fill_slots()
        assert not self.held, f"nothing runs, nothing will come, and {sorted(self.held)} are held"
        return self.played

    def _call(self, method, *arguments):
        if len(self.played.calls) == self.cut:
            self.scheduler = scheduler_of(self.world, self.metric)
            for earlier, given_then, answer in self.played.calls:
                assert getattr(self.scheduler, earlier)(*given_then) == answer
        answer = getattr(self.scheduler, method)(*arguments)
        answer = dict(answer) if method == "settle" else answer
        self.played.calls.append((method, arguments, answer))
        assert len(self.played.calls) < 50_000, "it never ends"
        return answer

    def _fill_slots(self):
        while len(self.running) < self.world.slots:
            if self.queue:
                self._run(self.queue.pop(0))
            elif self.coming:
                proposal = self.coming.pop(0)
                self.no_more = self.world.is_eager and not self.coming
                self._begin(proposal)
                self._settle()
            elif not self.no_more:
                self.no_more = True
                self._settle()
            else:
                return

    def _begin(self, proposal):
        self.proposals[proposal.trial] = proposal
        self.epochs[proposal.trial] = proposal.start.epoch if proposal.start else 0
        self._call("add", proposal)
        self.queue.append(proposal.trial)

    def _run(self, trial):
        duration = self.world.seconds(trial, self.epochs[trial] + 1)
        heapq.heappush(self.running, (self.now + duration, trial))

    def _finish_epoch(self, trial):
        self.epochs[trial] += 1
        epoch, (failing, while_held) = self.epochs[trial], self.failures.get(trial, (0, False))
        if epoch == failing and not while_held:
            self._end(trial, "failed")
            return
        self.played.reported.add((trial, self.proposals[trial].segment, epoch))
        verdict = self._call("report", Report(trial, epoch, self.sign * self.world.value(trial, epoch)))
        is_last = epoch == self.proposals[trial].epochs
        if isinstance(verdict, Hold):
            self.played.holds.append((trial, epoch))
            assert not is_last, f"{trial} is held at its last epoch, where it ends by itself"
            self.held[trial] = epoch
        self._settle()
        if is_last:
            self._end(trial, "completed")
        elif isinstance(verdict, GoOn):
            self.queue.insert(0, trial)
        elif isinstance(verdict, Stop):
            self._stop(trial, verdict)
            self._settle()
        elif trial in self.held and epoch == failing:
            del self.held[trial]
            self._end(trial, "failed")

    def _settle(self):
        while decisions := self._call("settle", self.no_more):
            assert set(decisions) <= set(self.held), "decides about trials that are not held"
            for trial, decision in decisions.items():
                epoch = self.held.pop(trial)
                if isinstance(decision, Stop):
                    self._stop(trial, decision)
                elif isinstance(decision, Exploit):
                    self._copy(trial, epoch, decision)
                else:
                    assert decision == GoOn()
                    self.queue.append(trial)

    def _copy(self, trial, epoch, exploit):
        self.played.copies.append(Copy(epoch, self.proposals[exploit.source.trial], exploit))
        mine = self.proposals[trial]
        self._begin(replace(mine, strategy=exploit.strategy, start=exploit.source, segment=mine.segment + 1))

    def _stop(self, trial, stop):
        self.played.stops.append((trial, self.epochs[trial], stop))
        self._record_end(trial, "stopped")

    def _end(self, trial, how):
        self._record_end(trial, how)
        self._settle()

    def _record_end(self, trial, how):
        assert trial not in self.played.ends, f"{trial} ends twice"
        self.played.ends[trial] = (how, self.epochs[trial])
        self._call("remove", trial)


def test_every_kind_a_job_may_name_is_registered_and_in_this_suite():
    assert set(members("scheduler")) == set(SPECS)
    assert {kind for kind, one in members("scheduler").items() if one.is_population_based} == set(POPULATIONS)


@each_kind
@few_examples
@given(data=st.data())
def test_every_trial_ends_once_and_nothing_hangs(kind, data):
    world = data.draw(worlds(kind))
    played = play(world)
    assert set(played.ends) == {proposal.trial for proposal in world.proposals()}
    assert all(epoch <= world.epochs for _, _, epoch in played.reported)
    assert all(epoch == world.epochs for how, epoch in played.ends.values() if how == "completed")
    may_fail = set(world.failures())
    assert {trial for trial, (how, _) in played.ends.items() if how == "failed"} <= may_fail


@each_kind
@few_examples
@given(data=st.data())
def test_trials_are_held_only_where_they_leave_a_checkpoint(kind, data):
    world = data.draw(worlds(kind))
    checkpoints = scheduler_of(world).checkpoints
    assert [hold for hold in play(world).holds if not checkpoints.wants(hold[1])] == []


@each_kind
@few_examples
@given(data=st.data())
def test_whoever_is_stopped_is_told_why_in_one_line(kind, data):
    for _, epoch, stop in play(data.draw(worlds(kind))).stops:
        assert stop.reason.startswith("accuracy ")
        assert stop.reason.isprintable()
        assert stop.rung is not None
        assert 1 <= stop.rung <= epoch


@each_kind
@few_examples
@given(data=st.data())
def test_decisions_are_the_same_whichever_direction_is_better(kind, data):
    world = data.draw(worlds(kind))
    assert play(world, "accuracy").decisions() == play(world, "loss").decisions()


@each_kind
@few_examples
@given(data=st.data())
def test_a_scheduler_is_brought_back_by_the_calls_it_got(kind, data):
    world = data.draw(worlds(kind))
    whole = play(world)
    cut = data.draw(st.integers(0, len(whole.calls) - 1))
    assert play(world, cut=cut) == whole


@pytest.mark.parametrize("kind", [kind for kind in SPECS if kind not in POPULATIONS])
@few_examples
@given(data=st.data())
def test_the_best_of_trials_that_never_change_places_is_not_stopped(kind, data):
    world = data.draw(worlds(kind, failing=0.0, are_apart=True))
    best = f"t{world.trials - 1:02d}"
    assert play(world).ends[best] == ("completed", world.epochs)


@each_kind
@few_examples
@given(data=st.data())
def test_what_runs_to_its_end_is_neither_stopped_nor_held_and_copies_nobody(kind, data):
    world = data.draw(worlds(kind, failing=0.0, first=3))
    played = play(world)
    for trial in sorted(played.ends)[:3]:
        assert played.ends[trial] == ("completed", world.epochs)
        assert trial not in {held for held, _ in played.holds}
        assert all(trial not in answer for method, _, answer in played.calls if method == "settle")


@pytest.mark.parametrize("kind", [kind for kind in SPECS if kind not in ("none", *POPULATIONS)])
def test_the_worst_of_many_is_stopped(kind):
    world = World(SPECS[kind][0], epochs=9, trials=9, limit=9, slots=9, are_apart=True)
    world = replace(world, seed=next(seed for seed in range(99) if _comes_last(replace(world, seed=seed), "t00")))
    assert play(world).ends["t00"][0] == "stopped"


def _comes_last(world, trial):
    return max(world.proposals(), key=lambda one: world.seconds(one.trial, 1)).trial == trial


@each_population
def test_the_worst_of_a_population_copy_and_go_on(kind):
    world = World(SPECS[kind][0], epochs=8, trials=6, limit=6, slots=3, are_apart=True)
    played = play(world)
    assert len(played.copies) >= 6
    assert set(played.ends.values()) == {("completed", 8)}


@each_population
@few_examples
@given(data=st.data())
def test_what_is_copied_is_there_and_fits(kind, data):
    world = data.draw(worlds(kind))
    played = play(world)
    for copy in played.copies:
        source = copy.exploit.source
        assert (source.trial, source.segment, source.epoch) in played.reported
        assert scheduler_of(world).checkpoints.wants(source.epoch)
        assert copy.epoch <= source.epoch < world.epochs
        assert copy.exploit.strategy.architecture() == copy.donor.strategy.architecture()
        assert copy.exploit.reason.isprintable()


@each_population
@few_examples
@given(data=st.data())
def test_trials_copy_from_their_own_architecture_only(kind, data):
    world = data.draw(worlds(kind))
    architectures = {proposal.trial: proposal.strategy.architecture() for proposal in world.proposals()}
    for method, _, answer in play(world).calls:
        for trial, decision in answer.items() if method == "settle" else ():
            if isinstance(decision, Exploit):
                assert architectures[decision.source.trial] == architectures[trial]


@each_population
@few_examples
@given(data=st.data())
def test_only_what_may_change_changes_and_within_its_range(kind, data):
    world = data.draw(worlds(kind))
    wanted = world.scheduler.mutate or MUTABLE
    for copy in play(world).copies:
        before, after = copy.donor.strategy.flat(), copy.exploit.strategy.flat()
        keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert copy.exploit.changes == {key: (before.get(key), after.get(key)) for key in keys}
        assert all(is_mutable(key) for key in keys)
        assert all(key.split(".")[0] in {name.split(".")[0] for name in wanted} for key in keys)
        assert _holds(SPACE.root, copy.exploit.strategy.model_dump(mode="json"))


def _holds(node, value):
    """Whether a space can give this value."""
    match node:
        case Value(only):
            return value == only
        case Component(kind, fields):
            return kind in (None, value.get("kind")) and all(_holds(inner, value[name]) for name, inner in fields)
        case Choice(options):
            return any(_holds(option, value) for option in options)
        case _:
            low, high = node.bounds()
            return low <= value <= high


def test_nothing_depends_on_the_clock_or_the_order_of_a_hash_or_global_chance():
    with _process("0") as one, _process("1") as other:
        found = {one.communicate()[0], other.communicate()[0]}
    assert (one.returncode, other.returncode) == (0, 0)
    assert len(found) == 1


def _process(seed):
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2] / "platform")}
    return subprocess.Popen([sys.executable, __file__, seed], env=environment, stdout=subprocess.PIPE, text=True)


def _digest(seed):
    """Of everything said in one world of each spec, in a process that is told apart by nothing but this seed."""
    random.seed(seed)
    time.time = time.monotonic = time.perf_counter = itertools.count(seed * 1000.0).__next__
    found = hashlib.sha256()
    for scheduler in (scheduler for specs in SPECS.values() for scheduler in specs):
        world = World(scheduler, epochs=6, trials=8, limit=8, slots=3, failing=0.2, seed=4)
        found.update(repr(play(world).calls).encode())
    return found.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(_digest(int(sys.argv[1])))
