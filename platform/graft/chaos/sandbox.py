"""Where a fault is injected: a job, a home, the commands a user would type, and what the journal says meanwhile."""

import contextlib
import os
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from graft.chaos.checks import Facts
from graft.chaos.counting import count
from graft.chaos.environment.child import Child, Ended
from graft.chaos.environment.processes import MARK, Process, marked, sweep
from graft.chaos.environment.tracking_server import TrackingServer
from graft.chaos.fault import require
from graft.core.errors import ArtifactError
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.journal import events
from graft.journal.journal import read, scan
from graft.journal.locking import is_held
from graft.tracking.relay_files import RelayFiles, RelayState
from graft.tracking.target import target_of

_SOURCE_ROOT = Path(__file__).parents[3]
_SWEEP_S = 15.0
_RELAY_S = 120.0


@dataclass
class RunnerContext:
    """What all faults of a runner share; a context manager that ends what it has started.

    Attributes:
        root: an empty directory.
        job_file: the job, made small.
        undisturbed: what a run without faults gives, by what is run, and the overrides of the job.
        log: hears what is going on.
    """

    root: Path
    job_file: Path
    undisturbed: dict[tuple[type, tuple[str, ...]], Facts] = field(default_factory=dict)
    log: Callable[[str], None] = lambda _: None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "RunnerContext":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def cpus(self) -> int:
        """Cores of this machine that may be used."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)

    @property
    def is_attached(self) -> bool:
        """Whether runs join a cluster, whose processes are not ours."""
        return bool(os.environ.get("RAY_ADDRESS"))

    @cached_property
    def server(self) -> TrackingServer:
        """An MLflow server of its own behind a proxy that can fail; started when it is first asked for."""
        return self._stack.enter_context(TrackingServer(self.root / "server"))


class Sandbox:
    """One run of the job, and what is done to it; a context manager that ends all processes it has started.

    Args:
        context: where it happens.
        home: for the run.
        overrides: of the job.
        seed: of what is left to chance.
    """

    def __init__(self, context: RunnerContext, home: Home, overrides: Sequence[str] = (), seed: int = 0) -> None:
        self.context, self.home = context, home
        self.overrides = [*overrides]
        self.random = random.Random(seed)
        self._mark = secrets.token_hex(8)
        self._words = context.root / "said"
        self._words.mkdir(exist_ok=True)
        self._before = set(Experiment.names(home))
        self.environment = {
            **os.environ,
            MARK: self._mark,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_SOURCE_ROOT), os.environ.get("PYTHONPATH", "")])),
        }

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        sweep(self._mark, 0.0)

    @property
    def undisturbed(self) -> Facts:
        """The same job without a fault; one of the same length if that is not known."""
        known = self.context.undisturbed
        return known.get((type(self), tuple(self.overrides))) or next(iter(known.values()))

    @property
    def found(self) -> Experiment | None:
        """The experiment of this sandbox, once it is there."""
        names = [name for name in Experiment.names(self.home) if name not in self._before]
        return Experiment(self.home.experiments / names[0]) if names else None

    @property
    def experiment(self) -> Experiment:
        """The experiment of this sandbox.

        Raises:
            Broken: it is gone.
        """
        found = self.found
        require(found, f"{self.home.experiments} holds no experiment")
        assert found is not None
        return found

    def run(self, *overrides: str) -> Child:
        """Start `graft run`; with overrides beside those of the sandbox."""
        sets = [part for override in (*self.overrides, *overrides) for part in ("--set", override)]
        return self._child("run", str(self.context.job_file), "--json", *sets)

    def resume(self, *options: str) -> Child:
        """Start `graft resume`."""
        return self._child("resume", self.experiment.name, "--json", *options)

    @contextlib.contextmanager
    def beside(self) -> Iterator["Sandbox"]:
        """Another run of the same job in the same home, which must have begun after this sandbox's experiment."""
        with Sandbox(self.context, self.home, self.overrides) as other:
            yield other
            self._before.add(other.experiment.name)

    def finish(self) -> Ended:
        """Resume the run to its end; if nothing was begun, run the job anew.

        Raises:
            Broken: it does not end well.
        """
        child = self.resume() if self.found is not None and self.lines else self.run()
        return child.wait().require_success()

    def kill_all(self, child: Child) -> None:
        """Kill a driver, and all it has started but the relay: until they notice, trials go on, and write weights."""
        started = self.processes("ray::")
        child.kill()
        for process in started:
            process.kill()
        while any(process.is_alive for process in started):
            time.sleep(0.02)

    def program(self, code: str, *arguments: str) -> Ended:
        """Run a Python program with the environment of the sandbox, to its end."""
        return Child(arguments, self.environment, self._words, code).wait()

    def processes(self, *titles: str) -> list[Process]:
        """The live processes of the sandbox whose title holds one of these."""
        return marked(self._mark, *titles)

    def await_process(self, child: Child, title: str) -> Process:
        """The first process of that title, as soon as it is there."""
        child.wait_until(lambda: self.processes(title), f"a process `{title}` was there")
        return self.processes(title)[0]

    @property
    def records(self) -> list[events.Event]:
        """What the journal says up to now; nothing if there is none yet."""
        found = self.found
        if found is None or not found.journal_file.exists():
            return []
        try:
            return [event for _, event in read(found.journal_file)]
        except ArtifactError:
            return []

    @property
    def lines(self) -> int:
        """Whole records of the journal, whatever they are."""
        found = self.found
        if found is None or not found.journal_file.exists():
            return 0
        return sum(not line.problem for line in scan(found.journal_file))

    def count(self, kind: type[events.Event], **fields: object) -> int:
        """How many records there are of a kind, with these values."""
        return sum(
            isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
            for event in self.records
        )

    def await_report(self, child: Child, number: int | None = None) -> str:
        """Wait for an epoch to be reported, by default one left to chance; returns when that was."""
        all_of_them = self.undisturbed.reports
        number = number or self.random.randint(1, max(1, all_of_them - 1))
        child.wait_until(lambda: self.count(events.TrialReported) >= number, f"epoch {number} of the search")
        return f"epoch {number} of {all_of_them} of the search"

    def await_stage(self, child: Child, stage: str) -> str:
        """Wait for a stage to begin; returns when that was."""
        child.wait_until(lambda: self.count(events.StageStarted, stage=stage), f"the stage {stage}")
        return f"the stage {stage}"

    def await_trouble(self, child: Child) -> None:
        """Wait until the relay has noticed that the tracking store does not answer."""
        child.wait_until(
            lambda: RelayFiles(self.experiment.directory).read_status().state is RelayState.WAITING,
            "the relay noticed that the tracking store does not answer",
        )

    def settle(self) -> None:
        """Wait until the processes of the run have ended, and send what has not arrived.

        Raises:
            Broken: that does not succeed.
        """
        files = RelayFiles(self.experiment.directory)
        deadline = time.monotonic() + _RELAY_S
        while files.lock.exists() and is_held(files.lock) and time.monotonic() < deadline:
            time.sleep(0.2)
        sweep(self._mark, _SWEEP_S)
        if files.read_status().state is RelayState.DONE:
            return
        synced = self.call("track", "sync", self.experiment.name, "--json")
        require(synced.exit_code == 0, f"`graft track sync` ended with {synced.exit_code}: {synced.last_words}")
        pending = synced.summary["pending"]
        require(pending == 0, f"{pending} records have not arrived in MLflow")

    def facts(self) -> Facts:
        """What has come out.

        Raises:
            Broken: there is no result.
        """
        result = self.experiment.result_file
        require(result.exists(), f"the run has left no {result.name}")
        counts = count(target_of(self.home, self.experiment.job()), self.experiment.directory)
        return Facts.of(result, self.records, counts)

    def call(self, *arguments: str) -> Ended:
        """Any command, to its end."""
        return self._child(*arguments).wait()

    def _child(self, *arguments: str) -> Child:
        return Child([*arguments, "--home", str(self.home.root)], self.environment, self._words)
