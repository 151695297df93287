"""Searches on replayed training: a few numbers instead of weights, in files that any node can read."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from graft.search.conductor import Conductor
from graft.search.proposer import SearchProposer
from graft.search.protocol import Checkpoint, Duplicate, Exploit, Proposal, TrialEnd, TrialReporter
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.search.simulation import simulate
from graft.spec.search.phases import Phase, phases_of
from graft.spec.search.search import SearchSpec
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.lookup import metric_named

Report = Callable[[int, Mapping[str, float]], bool]
"""``report(epoch, metrics)``: whether to go on."""

ACCURACY = metric_named("accuracy")
SPACE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}})


@dataclass(frozen=True)
class Search:
    """A search to be run: ``Search({"kind": "pbt"}, trials=4, epochs=6, slots=3)``."""

    scheduler: Mapping[str, Any]
    trials: int
    epochs: int
    slots: int

    def conductor(self, heard: "Heard") -> Conductor:
        """A new conductor, which tells `heard` of everything."""
        is_population = self.scheduler["kind"] == "pbt"
        spec = {"scheduler": dict(self.scheduler)} | ({"population": self.trials} if is_population else {})
        found = phases_of(SearchSpec.model_validate(spec), self.epochs)[0]
        phase = Phase(0, found.scheduler, found.searcher, self.trials, self.epochs, False, is_population, False)
        searcher = build_searcher(phase.searcher, SPACE, ACCURACY, 0)
        scheduler = build_scheduler(phase, ACCURACY, 0, SPACE)
        return Conductor(scheduler, SearchProposer(searcher, phase), heard, ACCURACY, self.slots)

    def simulated(self) -> "Heard":
        """What is heard of it without any process, and so without any fault."""
        heard, weights = Heard(), dict[Checkpoint, float]()

        def curve(proposal: Proposal, epoch: int) -> dict[str, float]:
            here = Checkpoint(proposal.trial, proposal.segment, epoch)
            before = Checkpoint(proposal.trial, proposal.segment, epoch - 1)
            start = proposal.start if proposal.start and proposal.start.epoch == epoch - 1 else before
            weights[here] = trained(weights.get(start, 0.0), proposal)
            return metrics_of(weights[here])

        simulate(self.conductor(heard), curve)
        return heard


class Heard:
    """An observer that remembers, and lets `on_event` do something in the middle of it.

    Attributes:
        values: trial → epoch → its value.
        twice: epochs that were reported again, and trials that began or ended again.
        place: trial → the nodes of its latest report.
    """

    def __init__(self, on_event: Callable[[str, str, int], None] = lambda kind, trial, epoch: None) -> None:
        self._on_event = on_event
        self.started: list[str] = []
        self.values: dict[str, dict[int, float]] = {}
        self.exploits: list[list[Any]] = []
        self.ends: dict[str, TrialEnd] = {}
        self.twice: list[str] = []
        self.place: dict[str, tuple[str, ...]] = {}

    def on_duplicate(self, duplicate: Duplicate) -> None:
        raise AssertionError("a continuous space has no duplicates")

    def on_started(self, proposal: Proposal) -> None:
        self._once(f"start of {proposal.trial}", proposal.trial in self.started)
        self.started.append(proposal.trial)

    def on_placed(self, trial: str, nodes: tuple[str, ...]) -> None:
        self.place[trial] = nodes

    def on_note(self, trial: str, text: str) -> None:
        pass

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        values = self.values.setdefault(trial, {})
        self._once(f"epoch {epoch} of {trial}", epoch in values)
        values[epoch] = metrics["val/accuracy"]
        self._on_event("report", trial, epoch)

    def on_exploit(self, proposal: Proposal, exploit: Exploit) -> None:
        source = exploit.source
        self.exploits.append([proposal.trial, source.trial, source.segment, source.epoch, exploit.strategy.lr])
        self._on_event("exploit", proposal.trial, source.epoch)

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        self._once(f"end of {trial}", trial in self.ends)
        self.ends[trial] = end

    def told(self) -> dict[str, Any]:
        """Everything, as JSON."""
        best = max(self.values, key=lambda trial: max(self.values[trial].values()))
        return {
            "started": sorted(self.started),
            "epochs": {trial: list(values) for trial, values in sorted(self.values.items())},
            "values": {trial: list(values.values()) for trial, values in sorted(self.values.items())},
            "exploits": sorted(self.exploits),
            "ends": {trial: str(end.status) for trial, end in sorted(self.ends.items())},
            "reasons": {trial: end.reason for trial, end in sorted(self.ends.items())},
            "twice": self.twice,
            "winner": best,
        }

    def _once(self, what: str, is_again: bool) -> None:
        if is_again:
            self.twice.append(what)


class OneProcess:
    """What `graft.training.world.ALONE` is to a training; that one would import torch into every trial."""

    rank = 0

    def broadcast(self, value: Any) -> Any:
        return value


ALONE = OneProcess()


def run_trial(proposal: Proposal, marks: str, reporter: TrialReporter) -> None:
    """The trial function of a search with one worker a trial; the payload is where the files go."""

    def report(epoch: int, metrics: Mapping[str, float]) -> bool:
        reporter.report(epoch, metrics)
        return True

    train(proposal, Path(marks), report)


def train(proposal: Proposal, marks: Path, report: Report, world: Any = ALONE) -> None:
    """Train from where the proposal stands, leaving a file after each epoch; every rank of `world` calls this.

    An epoch that was trained and never reported is reported first, as `graft.learner.trial.train_proposal` does.
    """
    start = proposal.start.epoch if proposal.start else 0
    done, weight = world.broadcast(stand(proposal, marks))
    note(marks, proposal, done, world.rank)
    if done > max(proposal.reported, start) and not report(done, metrics_of(weight)):
        return
    for epoch in range(done + 1, proposal.epochs + 1):
        weight = world.broadcast(trained(weight, proposal))
        if world.rank == 0:
            leave(file_of(marks, Checkpoint(proposal.trial, proposal.segment, epoch)), repr(weight))
        if not report(epoch, metrics_of(weight)):
            return


def stand(proposal: Proposal, marks: Path) -> tuple[int, float]:
    """How many epochs are behind a trial, and its weight: its own newest file's, else that of where it starts."""
    start = proposal.start.epoch if proposal.start else 0
    own = [Checkpoint(proposal.trial, proposal.segment, epoch) for epoch in range(proposal.epochs, start, -1)]
    for checkpoint in (*own, *([proposal.start] if proposal.start else [])):
        if (file := file_of(marks, checkpoint)).exists():
            return checkpoint.epoch, float(file.read_text())
    return 0, 0.0


def trained(weight: float, proposal: Proposal) -> float:
    """The weight after one more epoch: it says which rates it has been trained with, and in which order."""
    return 0.9 * weight + proposal.strategy.lr


def metrics_of(weight: float) -> dict[str, float]:
    return {"val/accuracy": weight, "train/seconds": 0.0}


def file_of(marks: Path, checkpoint: Checkpoint) -> Path:
    return marks / f"{checkpoint.trial}-s{checkpoint.segment}-e{checkpoint.epoch}"


def leave(path: Path, text: str) -> None:
    """A file that is whole or absent."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text)
    scratch.replace(path)


def note(marks: Path, proposal: Proposal, done: int, rank: int) -> None:
    """Every beginning, for those who count processes."""
    node = ray.get_runtime_context().get_node_id()
    line = f"{proposal.trial} {proposal.segment} {done} {rank} {os.getpid()} {node}\n"
    with (marks / "begun").open("a") as begun:
        begun.write(line)


def begun(marks: Path) -> list[dict[str, Any]]:
    """All beginnings in their order."""
    names = ("trial", "segment", "done", "rank", "pid", "node")
    lines = (marks / "begun").read_text().splitlines()
    found = [dict(zip(names, line.split(), strict=True)) for line in lines]
    return [{**one, "segment": int(one["segment"]), "done": int(one["done"])} for one in found]
