"""The command line in this process, and experiments whose journals are written by hand: no Ray, no training."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from graft.cli.main import main
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.journal import events
from graft.journal.events import Event, TrialStatus
from graft.journal.journal import Journal
from graft.meta.recommend.pool import candidate_of
from graft.models.load import canonical
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on standard output; strict, so no NaN."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


Graft = Callable[..., Outcome]
MakeExperiment = Callable[..., Experiment]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a CI server sets to get colours would change what is printed here."""
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def graft(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Graft:
    """Runs a command line as the console script does: `graft("validate", path)`; native output counts too."""
    # Usage lines name the program as the console script does, not as `python -m pytest`.
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None, raising=False)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["graft", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code
        else:
            code = 0
        captured = capfd.readouterr()
        return Outcome(0 if code is None else int(code), ESCAPES.sub("", captured.out), ESCAPES.sub("", captured.err))

    return run


@pytest.fixture
def job_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a job file: `job_file("name: x ...")`."""

    def write(text: str) -> Path:
        path = tmp_path / "job.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle of a tiny network with a random head."""
    from tests.fixtures.bundles import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "pets")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An image file."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def make_experiment(home: Path) -> MakeExperiment:
    """An experiment in the home with a journal of these events: `make_experiment(story, name="digits")`."""

    def make(story: Sequence[Event] = (), name: str = "digits", **job: Any) -> Experiment:
        experiment = Experiment.create(Home(home), parse_job({"name": name, "data": {"kind": "digits"}, **job}))
        with Journal(experiment.journal_file) as journal:
            for event in story:
                journal.append(event)
        return experiment

    return make


def trial(name: str, start: float, scores: Sequence[float], freeze: float = 0.0) -> list[Event]:
    """A trial that starts, and reports an epoch of two seconds for each score."""
    strategy = Strategy(freeze=freeze)
    reports = [
        events.TrialReported(name, epoch, {"val/accuracy": score, "train/loss": 1 - score}, 2.0, time=start + 2 * epoch)
        for epoch, score in enumerate(scores, start=1)
    ]
    return [events.TrialStarted(name, strategy.model_dump(mode="json"), strategy.label(), 0, time=start), *reports]


@pytest.fixture
def story() -> list[Event]:
    """A search half-way: one trial of each fate, one still running, one duplicate; `t01` leads."""
    return [
        events.ExperimentStarted("digits-1", "digits-1", {"name": "digits"}, time=100.0),
        events.StageStarted("ingest", time=100.0),
        events.StageFinished("ingest", 3.0, "1797 images", time=103.0),
        events.StageStarted("search", time=103.0),
        *trial("t00", 110.0, [0.5, 0.6]),
        events.TrialFinished("t00", TrialStatus.STOPPED, "below the best third at epoch 2", 2, rung=2, time=114.5),
        *trial("t01", 110.0, [0.7, 0.9, 0.8], freeze=0.5),
        events.TrialFinished("t01", TrialStatus.COMPLETED, "trained 3 of at most 8 epochs", 3, time=117.0),
        *trial("t02", 118.0, [], freeze=1.0),
        events.TrialFinished("t02", TrialStatus.FAILED, "non-finite loss at epoch 1", 0, time=119.0),
        events.DuplicateSkipped(None, "t00", "k", time=119.0),
        *trial("t03", 120.0, [0.65], freeze=0.25),
    ]


@pytest.fixture
def population() -> list[Event]:
    """Two phases: t03 and t04 go on from t01 and t02 at epoch 2, and t04 copies t03 at epoch 3."""
    slow, fast = Strategy(lr=0.01), Strategy(lr=0.05)

    def begun(name: str, strategy: Strategy, phase: int, epochs: int, start: tuple[str, int, int] | None) -> Event:
        plain, label = strategy.model_dump(mode="json"), strategy.label()
        return events.TrialStarted(name, plain, label, 0, phase=phase, epochs=epochs, start=start, time=100.0)

    def reported(name: str, epoch: int, score: float) -> Event:
        return events.TrialReported(name, epoch, {"val/accuracy": score}, 2.0, time=100.0 + epoch)

    varied = slow.model_copy(update={"lr": 0.012})
    copied = events.TrialExploited(
        "t04", 1, varied.model_dump(mode="json"), varied.label(), "t03", 0, 3, {"lr": (0.01, 0.012)},
        "accuracy 0.5000 is among the worst 1 of 2 at epoch 3; copies t03 (0.8000): lr 0.01 -> 0.012", time=110.0,
    )  # fmt: skip
    return [
        events.ExperimentStarted("digits-1", "digits-1", {"name": "digits"}, time=100.0),
        events.StageStarted("search", time=100.0),
        events.PhaseStarted(0, "asha", "random", 2, time=100.0),
        begun("t01", slow, 0, 2, None),
        begun("t02", fast, 0, 2, None),
        *(reported(name, epoch, score) for name, epoch, score in [("t01", 1, 0.5), ("t01", 2, 0.7), ("t02", 1, 0.4)]),
        reported("t02", 2, 0.6),
        events.TrialFinished("t01", TrialStatus.COMPLETED, "trained 2 epochs", 2, time=104.0),
        events.TrialFinished("t02", TrialStatus.COMPLETED, "trained 2 epochs", 2, time=104.0),
        events.PhaseFinished(0, 2, 0.7, "t01", 4.0, time=104.0),
        events.PhaseStarted(1, "pbt", "random", 4, time=104.0),
        begun("t03", slow, 1, 4, ("t01", 0, 2)),
        begun("t04", fast, 1, 4, ("t02", 0, 2)),
        reported("t03", 3, 0.8),
        reported("t04", 3, 0.5),
        copied,
        reported("t03", 4, 0.82),
        reported("t04", 4, 0.9),
        events.TrialFinished("t03", TrialStatus.COMPLETED, "trained 4 epochs", 4, time=112.0),
        events.TrialFinished("t04", TrialStatus.COMPLETED, "trained 4 epochs", 4, time=112.0),
        events.PhaseFinished(1, 2, 0.9, "t04", 8.0, time=112.0),
        events.SearchEnded("target", "t04 has accuracy 0.9000; the target is 0.9", time=112.0),
    ]


@pytest.fixture
def memory(graft: Graft, tmp_path: Path) -> Path:
    """Three tasks on which half of the network frozen was best."""
    lines = ["task,modality,backbone,strategy_json,metric,value,seconds"]
    for task in range(3):
        for freeze in (0.0, 0.5, 1.0):
            strategy = canonical(Strategy(freeze=freeze))
            told = json.dumps(json.loads(candidate_of(strategy).strategy_json)).replace('"', '""')
            value = 0.9 - 0.2 * abs(freeze - 0.5)
            lines.append(f't{task},image,{strategy.backbone},"{told}",accuracy,{value},{2 - freeze}')
    (tmp_path / "r.csv").write_text("\n".join(lines) + "\n")
    assert graft("memory", "import", tmp_path / "r.csv", "--memory", tmp_path / "memory").exit_code == 0
    return tmp_path / "memory"
