"""A meta-model in MLflow: a version that says what it was learned on, its role as an alias, its curve in a run."""

import json
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from tests.fixtures.journals import store_root, target
from tests.fixtures.meta_pools import samples_of
from tests.pipeline.episodes.test_run import job_of, trained

from graft.core.errors import TrackingError
from graft.core.storage import Home
from graft.episodes.adapters.protocol import Support
from graft.episodes.samples import RAW
from graft.journal import events
from graft.journal.journal import read
from graft.pipeline.episodes import keeping, run
from graft.tracking.mlflow.audit import audit_store
from graft.tracking.mlflow.registration import find_run, register
from graft.tracking.mlflow.store import open_client
from graft.tracking.target import Target

__all__ = ["store_root", "target"]


@pytest.fixture
def home(tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(run, "target_of", lambda *_: target)
    return Home(tmp_path)


def test_it_is_a_version_that_says_what_it_is_and_learns_a_task_from_a_table(home: Home, target: Target) -> None:
    result = trained(home, job_of())
    assert result.note == ""
    client = open_client(target)
    version = client.get_model_version_by_alias("tiny.meta", "champion")
    assert version.tags["graft.meta.weights"] == result.model.digest
    assert version.tags["graft.meta.tasks"].count("class") == 12
    assert "Meta-learned on 12 classes" in version.description
    assert "few samples" in client.get_registered_model("tiny.meta").description

    samples = samples_of(5, seed=9)
    cells = [json.dumps(row.tolist()) for row in samples.inputs[RAW]]
    names = np.array([f"kind {code}" for code in samples.labels], dtype=object)
    is_told = np.arange(len(names)) % 8 < 3
    table = pd.DataFrame({"raw": cells, "label": np.where(is_told, names, "")})
    model = mlflow.pyfunc.load_model(client.get_model_version_download_uri("tiny.meta", version.version))
    answer = model.predict(table)
    assert (answer["label"][is_told] == names[is_told]).all()
    loss, (shown, asked) = result.model.build(), (samples.some(is_told), samples.some(~is_told))
    support = Support(shown.inputs, torch.from_numpy(shown.labels), 5)
    expected = loss.adapter.adapt(loss.start, support)(asked.inputs).softmax(dim=1)
    assert (answer["label"][~is_told] == [f"kind {code}" for code in expected.argmax(dim=1)]).all()
    np.testing.assert_allclose(answer["probability"][~is_told], expected.amax(dim=1).detach(), rtol=1e-5)
    alone = model.predict(table[is_told | (np.arange(len(names)) == 7)])
    assert alone.iloc[3]["probability"] == pytest.approx(answer.iloc[7]["probability"], abs=1e-6)
    for wrong, told in (
        (table.assign(raw="[1, 2]"), "must be the JSON list of 10 numbers"),
        (table.assign(label="kind 0"), "the task has 1 class, but must have 2 at least"),
        (table.assign(label=""), "the task has 0 classes"),
    ):
        with pytest.raises(MlflowException, match=told):
            model.predict(wrong)


def test_its_curve_and_what_it_was_learned_on_are_in_a_run(home: Home, target: Target) -> None:
    result = trained(home, job_of())
    directory = result.model.directory.parent
    key = f"tiny-{directory.name}"
    client = open_client(target)
    _, run_id = find_run(target, key)
    found = client.get_run(run_id)
    assert found.data.metrics["final/test_3w1s"] == pytest.approx(result.scores["3w1s"].ours.accuracy)
    assert found.data.tags["graft.meta.classes"] == "12"
    assert found.data.tags["graft.meta.role"] == "champion"
    assert "training_tasks.json" in {one.path for one in client.list_artifacts(run_id)}
    _, trial_id = find_run(target, key, "meta")
    curve = [one.value for one in client.get_metric_history(trial_id, "val/accuracy")]
    assert curve == [
        one.metrics["val/accuracy"]
        for _, one in read(directory / "journal.jsonl")
        if isinstance(one, events.TrialReported)
    ]
    _, audit = audit_store(target, directory / "journal.jsonl")
    assert (audit.lost, audit.doubled) == (0, 0)


def test_a_challenger_is_registered_as_one(home: Home, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained(home, job_of(name="rivals"))
    monkeypatch.setattr(keeping, "MARGIN", -1.0)
    trained(home, job_of(name="rivals"), samples_of(seed=7), is_update=True)
    client = open_client(target)
    champion, challenger = (client.get_model_version_by_alias("rivals.meta", one) for one in ("champion", "challenger"))
    assert (int(champion.version), int(challenger.version)) == (1, 2)
    assert champion.tags["graft.meta.weights"] == first.model.digest
    assert "it may be worse than the earlier one" in challenger.description


def test_a_store_that_does_not_answer_costs_no_meta_model(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise TrackingError("the store does not answer")

    monkeypatch.setattr("graft.tracking.mlflow.registration.register", gone)
    monkeypatch.setattr(run, "_shipped", lambda *_: "")
    result = trained(home, job_of())
    assert result.note == "it is not registered in MLflow: the store does not answer; run the same command again"
    assert result.kept.role == "champion"
    monkeypatch.setattr("graft.tracking.mlflow.registration.register", register)
    assert trained(home, job_of()).note == ""
