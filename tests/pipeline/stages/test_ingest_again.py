"""What was ingested may be gone when an experiment goes on; what is made again must be the same."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graft.core.errors import ArtifactError, DataError
from graft.data.dataset import open_dataset
from graft.data.splits.facts import BY_LABEL
from graft.experiments.progress import Progress
from graft.journal import events
from graft.pipeline.stages import ingest as stage
from graft.pipeline.stages.ingest import is_dataset_there, run_ingest
from graft.spec.load import parse_job

JOB = parse_job({"name": "x", "data": "digits"})


def run_of(dataset: Any, monkeypatch: pytest.MonkeyPatch, *happened: events.Event) -> Any:
    progress = Progress(JOB.objective, JOB.training.epochs)
    for event in happened:
        progress.apply(event)
    listing = SimpleNamespace(ignored=(), sources=())
    work = SimpleNamespace(plan=SimpleNamespace(listing=listing, split=BY_LABEL, is_streamed=False))
    monkeypatch.setattr(stage, "ingestion_of", lambda job: work)
    monkeypatch.setattr(stage, "placed", lambda work, job, datasets: (work, ""))
    monkeypatch.setattr(stage, "ingest", lambda ingestion, root, progress: dataset)
    journal = SimpleNamespace(append=progress.apply)
    return SimpleNamespace(job=JOB, home=SimpleNamespace(datasets=Path()), progress=progress, journal=journal)


def ready(fingerprint: str) -> events.Event:
    return events.DatasetReady(fingerprint, "digits", {}, (), ())


BEGUN = events.TrialStarted("t00", {}, "label")


def test_the_same_data_made_again_are_taken(dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(dataset, monkeypatch, ready(dataset.fingerprint), BEGUN)
    assert run_ingest(run)["directory"] == str(dataset.directory)
    assert run.progress.fingerprint == dataset.fingerprint


def test_other_data_are_none_that_trials_can_go_on_with(dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(dataset, monkeypatch, ready("before"), BEGUN)
    with pytest.raises(DataError, match=r"has changed since 1 trials learnt from it.*put the data back"):
        run_ingest(run)
    assert run.progress.fingerprint == "before"


def test_before_any_trial_the_data_may_change(dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(dataset, monkeypatch, ready("before"))
    assert run_ingest(run)["directory"] == str(dataset.directory)


def test_a_dataset_that_was_deleted_is_not_there(tmp_path: Path) -> None:
    assert not is_dataset_there({"directory": str(tmp_path / "gone")})
    with pytest.raises(ArtifactError, match="it was deleted; `graft resume` makes it again"):
        open_dataset(tmp_path / "gone")
