"""Who answers with the winner: what the fit stage leaves of it, what is scored, and what is in the bundle."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graft.core.storage import Home
from graft.data.dataset import Dataset, Split
from graft.experiments.budget import Deadline
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.run_clock import RunClock
from graft.experiments.standing.leaderboard import leaderboard
from graft.journal.events import EnsembleChosen, Event
from graft.journal.journal import Journal, read
from graft.learner.checkpoints import CheckpointStore
from graft.learner.ensemble.choice import choose_members
from graft.learner.ensemble.members import Member
from graft.learner.final_model import FinalModel
from graft.learner.fit import FitTask, fit
from graft.modalities.image.info import PIXELS
from graft.models.bundle import read_bundle
from graft.pipeline.stages import ensemble as module
from graft.pipeline.stages import fit as fit_module
from graft.pipeline.stages.ensemble import Ensembling, are_there, judged_members, members_of
from graft.pipeline.stages.evaluate import evaluate, told_of_ensemble
from graft.pipeline.stages.export import export
from graft.search.strategy_schedule import Schedule, Stretch
from graft.serving.predictor import Predictor
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.training.checkpoint import TrainingState, save_state
from graft.workers.allocation import Allocation

ONE = Allocation(cpus=1, gpus=0, concurrent=2, most_cpus=2)
CHOSEN = {
    "is_kept": True, "candidates": 3, "rows": 100, "score": 0.9, "alone": 0.85, "gain": 0.1, "error": 0.02,
    "expected": 0.1, "left_out": [],
    "members": [
        {"trial": "t01", "share": 0.6, "facts": {"temperature": 1.2}},
        {"trial": "t03", "share": 0.4, "facts": {"temperature": 0.9}},
    ],
}  # fmt: skip


class Away:
    """What would run in Ray's workers: fits leave files, the choice is given."""

    def __init__(self) -> None:
        self.chosen: dict[str, Any] = dict(CHOSEN)
        self.fitted: list[Path] = []
        self.candidates: list[str] = []

    def __call__(self, fn: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        if fn is choose_members:
            self.candidates = [one.trial for one in arguments[0]]
            return self.chosen
        assert fn is fit
        task: FitTask = arguments[0]
        save_state(TrainingState(4, 4, {}), task.model.weights)
        self.fitted.append(task.model.weights)
        return {"epochs": 4, "samples": 30}


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Away:
    made = Away()
    monkeypatch.setattr(module, "run_remote", made)
    monkeypatch.setattr(fit_module, "run_remote", made)
    return made


Begin = Callable[..., Ensembling]


@pytest.fixture
def begin(home: Path, dataset: Dataset, clock: Any, fold: Callable[..., Progress], trials: Any) -> Begin:
    """``begin(ensemble="auto", final_on="train")``: a run whose search has ended; again, one that goes on with it."""
    story: list[Event] = [
        event
        for number, scores in enumerate(([0.9] * 4, [0.7] * 4, [0.8] * 4), start=1)
        for event in trials.of(f"t0{number}", scores)
    ]
    made: list[Experiment] = []
    journals: list[Journal] = []

    def build(
        ensemble: Any = "auto", final_on: str = "train+validation", kept: int = 3,
        seconds: float | None = None, spent: float = 0.0,
    ) -> Ensembling:  # fmt: skip
        raw = {"epochs": 4, "final_on": final_on, "fit": {"ensemble": ensemble}}
        job = parse_job({"name": "x", "data": "digits", "training": raw})
        progress = fold(*story)
        if not made:
            made.append(Experiment.create(Home.find(), job))
            store = CheckpointStore(made[0].checkpoints)
            for name in [f"t0{number}" for number in range(1, kept + 1)]:
                save_state(TrainingState(1, 1, progress.trials[name].best), store.best_file(name))
        experiment = made[0]
        deadline = None if seconds is None else Deadline(seconds, "minutes")
        run_clock = RunClock(job, progress, clock, ONE, ONE, deadline, clock.elapsed() - spent)
        if journals:
            journals.pop().close()
        journal = Journal(experiment.journal_file, clock)
        journals.append(journal)
        journal.subscribe(progress.apply)

        def schedule(trial: Any) -> Schedule:
            return Schedule((Stretch(0, 4, Strategy.read_stored(trial.best_strategy)),))

        run: Any = SimpleNamespace(
            experiment=experiment, job=job, journal=journal, run_clock=run_clock, progress=progress,
            schedule=schedule, feature_cache=lambda dataset: None,
            final_model=lambda data, trial, weights: FinalModel(job, data.directory, schedule(trial), weights),
        )  # fmt: skip
        return Ensembling(run, dataset, progress.trials["t01"])

    return build


def told(run: Any) -> list[EnsembleChosen]:
    return [event for _, event in read(run.experiment.journal_file) if isinstance(event, EnsembleChosen)]


def test_members_are_fitted_as_the_winner_is(begin: Begin, away: Away) -> None:
    stage = begin()
    done = stage.fit()
    final = stage.run.experiment.final
    assert away.candidates == ["t01", "t03", "t02"]
    assert away.fitted == [final / "weights.safetensors", final / "t03" / "weights.safetensors"]
    members = members_of(stage.run, stage.dataset, stage.winner, done)
    assert [(one.trial, one.share, one.model.weights) for one in members] == [
        ("t01", 0.6, away.fitted[0]),
        ("t03", 0.4, away.fitted[1]),
    ]
    store = CheckpointStore(stage.run.experiment.checkpoints)
    judged = judged_members(stage.run, stage.dataset, stage.winner, done)
    assert [one.model.weights for one in judged] == [store.best_file("t01"), store.best_file("t03")]
    assert [one.facts for one in judged] == [{"temperature": 1.2}, {"temperature": 0.9}]
    assert are_there(done)
    away.fitted[1].unlink()
    assert not are_there(done)


def test_it_is_told_everywhere(begin: Begin, away: Away) -> None:
    stage = begin()
    done = stage.fit()
    (event,) = told(stage.run)
    assert event.shares == {"t01": 0.6, "t03": 0.4}
    assert (event.is_kept, event.score, event.alone) == (True, 0.9, 0.85)
    assert event.reason == (
        "ensemble of t01 0.60, t03 0.40: validation accuracy 0.900, 0.850 of the winner alone, loss lower by 0.1, "
        "standard error 0.02, expected gain 10% of it"
    )
    assert done["summary"] == f"4 epochs on 30 samples; {event.reason}"
    rows = {row["trial"]: row["ensemble"] for row in leaderboard(stage.run.progress)}
    assert rows == {"t01": 0.6, "t03": 0.4, "t02": None}


def test_weights_of_the_search_are_taken_where_nothing_is_fitted(begin: Begin, away: Away) -> None:
    stage = begin(final_on="train")
    members = members_of(stage.run, stage.dataset, stage.winner, stage.fit())
    store = CheckpointStore(stage.run.experiment.checkpoints)
    assert [one.model.weights for one in members] == [store.best_file("t01"), store.best_file("t03")]
    assert away.fitted == []


def test_a_run_that_was_killed_goes_on_with_what_is_fitted(begin: Begin, away: Away) -> None:
    """Killed behind the winner's fit, and behind that of a member."""

    def killed(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run_remote", killed)
        with pytest.raises(KeyboardInterrupt):
            begin().fit()
    assert len(away.fitted) == 1
    done = begin().fit()
    assert len(away.fitted) == 2
    assert begin().fit() == done
    assert len(away.fitted) == 2


def test_a_fit_whose_weights_are_gone_is_done_again(begin: Begin, away: Away) -> None:
    begin().fit()
    away.fitted[0].unlink()
    begin().fit()
    assert away.fitted[2:] == away.fitted[:1]


def test_one_that_is_not_kept_leaves_the_winner_alone(begin: Begin, away: Away) -> None:
    away.chosen["is_kept"] = False
    stage = begin()
    done = stage.fit()
    assert away.fitted == [stage.run.experiment.final / "weights.safetensors"]
    (alone,) = members_of(stage.run, stage.dataset, stage.winner, done)
    assert (alone.trial, alone.share) == ("t01", 1.0)
    assert told(stage.run)[0].reason.startswith("no ensemble: that of t01 0.60, t03 0.40 is not worth the time")
    assert stage.run.progress.shares == {}


def test_one_candidate_is_no_ensemble(begin: Begin, away: Away) -> None:
    stage = begin(kept=1)
    stage.fit()
    assert away.candidates == []
    assert told(stage.run)[0].reason.startswith("no ensemble: too few trials whose weights are kept")


def test_where_it_is_off_nothing_is_asked(begin: Begin, away: Away) -> None:
    stage = begin(ensemble="off")
    done = stage.fit()
    assert "ensemble" not in done
    assert told(stage.run) == []
    assert sorted(path.name for path in stage.run.experiment.final.iterdir()) == ["weights.safetensors"]


@pytest.fixture(scope="module")
def members(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Member]:
    """Two real networks, hardly trained."""
    job = parse_job({"name": "x", "data": "digits", "training": {"epochs": 1}})
    found = []
    for trial, size, share in (("t01", 32, 0.7), ("t02", 40, 0.3)):
        strategy = Strategy(freeze=1.0, resolution=size, batch_size=10, lr=1e-9)
        schedule = Schedule((Stretch(0, 1, strategy),))
        weights = tmp_path_factory.mktemp("final") / "weights.safetensors"
        model = FinalModel(job, dataset.directory, schedule, weights)
        fit(FitTask(model, num_threads=1))
        found.append(Member(model, share, {"temperature": 0.5}, trial))
    return found


def test_the_report_has_the_winner_alone_beside_it(members: list[Member], dataset: Dataset, tmp_path: Path) -> None:
    report = evaluate(members, members, 1, tmp_path)
    found = report["ensemble"]
    assert [(one["trial"], one["share"]) for one in found["members"]] == [("t01", 0.7), ("t02", 0.3)]
    assert set(found["alone"]["metrics"]) == set(report["metrics"])
    assert found["alone"]["metrics"]["loss"] != report["metrics"]["loss"]
    assert found["ms"] > found["ms_alone"] > 0
    assert report["validation"]["metrics"]
    assert "2 members, " in told_of_ensemble(found, "accuracy")


def test_the_bundle_answers_as_the_members_do_together(members: list[Member], dataset: Dataset, tmp_path: Path) -> None:
    report = evaluate(members, members, 1, tmp_path)
    export(members, tmp_path / "bundle", report["metrics"], report["facts"])
    found = read_bundle(tmp_path / "bundle")
    assert [one.spec.facts["temperature"] for one in found.members] == [0.5]
    predictor = Predictor(found)
    pictures = [dataset.columns[PIXELS][row] for row in dataset.rows(Split.TEST)]
    answers = predictor.predict_proba(pictures)
    truth = dataset.arrays().targets[dataset.rows(Split.TEST)]
    loss = -np.log(answers[np.arange(len(truth)), truth]).mean()
    assert loss == pytest.approx(report["metrics"]["loss"], rel=1e-3)


def test_without_time_to_score_one_the_winner_answers_alone(begin: Begin, away: Away) -> None:
    """The search has had all the minutes; what was fitted stays."""
    stage = begin(seconds=60.0, spent=59.0)
    done = stage.fit()
    assert away.candidates == []
    assert done["ensemble"]["reason"] == "no ensemble: there is no time to score one"
    assert told(stage.run)[0].shares == {}
