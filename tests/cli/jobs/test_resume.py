import pytest

from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.result import Result
from graft.experiments.standing.leaderboard import leaderboard
from graft.journal.events import TrialRetried


@pytest.fixture
def resumed(monkeypatch):
    """Replaces the run: it only says that failed trials are tried again."""

    def run_experiment(experiment, home, options):
        for listener in options.listeners:
            listener(TrialRetried("t00"))
        progress = Progress(experiment.job().objective, experiment.job().training.epochs)
        summary = {
            "experiment": experiment.name, "metric": "accuracy", "modalities": ["image"],
            "winner_trial": "t01", "validation": 0.9, "test": 0.8,
            "test_interval": (0.7, 0.9), "bundle": "b", "model_uri": None, "tracking_uri": "", "seconds": 1.0,
            "experiment_dir": str(experiment.directory), "tracking_complete": True,
        }  # fmt: skip
        return Result(summary, leaderboard(progress))

    monkeypatch.setattr("graft.pipeline.run.run_experiment", run_experiment)


@pytest.mark.usefixtures("resumed")
def test_the_display_knows_the_trials_of_earlier_runs(graft, make_experiment, story):
    experiment: Experiment = make_experiment(story)
    done = graft("resume", experiment.name, "--retry-errored")
    assert (done.exit_code, "internal error" in done.err) == (0, False)
    assert done.err.startswith(f"resuming {experiment.name}\n")
