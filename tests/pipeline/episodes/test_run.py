"""A meta-training from samples to a meta-model: cut off and gone on, updated, refused where it cannot be."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.fixtures.meta_pools import JOB, pool_of, samples_of

from graft.core.errors import ArtifactError, DataError, SpecError
from graft.core.storage import Home
from graft.episodes.meta_model import read_meta_model
from graft.episodes.samples import Samples
from graft.journal import events
from graft.journal.journal import read
from graft.pipeline.episodes import keeping, run
from graft.pipeline.episodes import samples as pools
from graft.pipeline.episodes.keeping import champion_of
from graft.pipeline.episodes.run import MetaResult, meta_train
from graft.pipeline.episodes.samples import divided
from graft.spec.meta.job import MetaJob


def job_of(**changes: Any) -> MetaJob:
    longer = {
        "training": {**JOB["training"], "epochs": 3, "steps": 6},
        "report": {"protocols": ["3w1s"], "episodes": 30},
    }
    return MetaJob.model_validate({**JOB, **longer, **changes})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for step in ("_registered", "_shipped"):  # test_registering has the way to MLflow
        monkeypatch.setattr(run, step, lambda *_: "")
    return Home(tmp_path)


def trained(home: Home, job: MetaJob, samples: Samples | None = None, **options: Any) -> MetaResult:
    return meta_train(job, home, pool_of(samples or samples_of()), lambda *_: None, **options)


def test_it_leaves_a_meta_model_that_says_what_it_was_learned_on(home: Home) -> None:
    result = trained(home, job_of())
    told = result.to_json()
    assert set(told) >= {"meta_model", "tasks", "accuracy", "beats_prototypes", "seconds"}
    assert told["tasks"] == 3 * 6 * 2
    low, high = told["accuracy"]["3w1s"]["interval"]
    assert low < told["accuracy"]["3w1s"]["accuracy"] < high
    model = read_meta_model(Path(told["meta_model"]))
    assert len(model.spec.tasks[0].classes) == 12
    assert model.spec.about == "meta-learned on 12 classes"
    assert champion_of(home, "tiny").model.digest == model.digest
    assert len(model.replay().classes) == 12  # type: ignore[union-attr]
    kinds = [type(one).__name__ for _, one in read(Path(told["meta_model"]).parent / "journal.jsonl")]
    assert kinds.count("TrialReported") == 3
    assert kinds[-6:] == [
        "Evaluated",
        "StageFinished",
        "StageStarted",
        "MetaModelMade",
        "StageFinished",
        "ExperimentFinished",
    ]


def test_one_that_was_cut_off_goes_on_bit_for_bit(home: Home, tmp_path: Path) -> None:
    whole = trained(home, job_of())

    class CutError(Exception):
        pass

    def cut(trial: str, epoch: int, metrics: Any) -> None:
        if epoch == 2:
            raise CutError

    other = Home(tmp_path / "other")
    with pytest.raises(CutError):
        meta_train(job_of(), other, pool_of(samples_of()), cut)
    result = trained(other, job_of())
    one, two = whole.model.weights(), result.model.weights()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    reported = [one.epoch for _, one in read(result.model.directory.parent / "journal.jsonl") if _is_report(one)]
    assert reported == [1, 2, 3]
    assert result.to_json()["accuracy"] == whole.to_json()["accuracy"]


def test_on_other_data_it_begins_anew_and_says_so(home: Home) -> None:
    """The classes that are held out of these may have been trained on."""

    def cut(trial: str, epoch: int, metrics: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        meta_train(job_of(), home, pool_of(samples_of()), cut)
    fewer = pool_of(samples_of(classes=20), fingerprint="second")
    result = meta_train(job_of(), home, fewer, lambda *_: None)
    assert "the data are not those that" in result.note
    reported = [one.epoch for _, one in read(result.model.directory.parent / "journal.jsonl") if _is_report(one)]
    assert reported == [1, 2, 3]
    assert trained(home, job_of()).note == ""  # those of the beginning: goes on


def test_an_edited_job_begins_anew_and_says_what_was_edited(home: Home) -> None:
    def cut(trial: str, epoch: int, metrics: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        meta_train(job_of(), home, pool_of(samples_of()), cut)
    (begun,) = (home.meta_models / "tiny" / "trainings").iterdir()
    edited = job_of(report={"protocols": ["3w1s"], "episodes": 20})
    told = f"the job is not the one that {begun} was begun with (changed: report.episodes), so this training began anew"
    assert trained(home, edited).note == f"{told}; with the job as it was, that one goes on"
    assert trained(home, job_of()).note == ""
    assert trained(home, job_of(held_out={"seed": 9})).note == "", "none is cut off any more"


def _is_report(one: Any) -> bool:
    return isinstance(one, events.TrialReported)


def test_an_update_takes_over_if_it_is_not_worse(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained(home, job_of())
    monkeypatch.setattr(keeping, "MARGIN", 1.0)
    later = trained(home, job_of(), samples_of(seed=7), is_update=True)
    assert later.kept.role == "champion"
    assert "points on new tasks" in later.kept.reason
    assert "points on old tasks" in later.kept.reason
    assert champion_of(home, "tiny").model.digest == later.model.digest != first.model.digest
    assert [len(one.classes) for one in later.model.spec.tasks] == [12, 12]
    assert len(later.model.replay().classes) == 24  # type: ignore[union-attr]


def test_an_update_that_is_worse_stays_a_challenger(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained(home, job_of())
    monkeypatch.setattr(keeping, "MARGIN", -1.0)
    later = trained(home, job_of(), samples_of(seed=7), is_update=True)
    assert later.kept.role == "challenger"
    assert "it may be worse than the earlier one" in later.kept.reason
    assert champion_of(home, "tiny").model.digest == first.model.digest
    assert read_meta_model(later.model.directory).digest == later.model.digest


def test_what_cannot_be_updated_is_told(home: Home) -> None:
    with pytest.raises(SpecError, match=r"there is no meta-model `tiny` in .*; make one with `graft meta-train JOB`"):
        trained(home, job_of(), is_update=True)
    trained(home, job_of())
    with pytest.raises(SpecError, match=r"start: is .*8.*, but that of meta-model tiny is .*16"):
        trained(home, job_of(start={"kind": "network", "channels": 8}), is_update=True)


def test_a_damaged_meta_model_is_refused(home: Home) -> None:
    model = trained(home, job_of()).model
    (model.directory / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(ArtifactError, match=r"weights.safetensors of meta-model .* is damaged"):
        champion_of(home, "tiny")
    with pytest.raises(ArtifactError, match="is no meta-model: it has no manifest"):
        read_meta_model(model.directory.parent)


@pytest.mark.parametrize(
    ("changes", "classes", "told"),
    [
        ({}, 2, "there are 2 classes, but training, validation and test need at least one each"),
        ({"tasks": {"ways": 20}}, 24, "there are 12 classes, but a task of 20 ways needs 20"),
        ({"report": {"protocols": ["9w1s"]}}, 24, "there are 6 classes, but a task of 9 ways needs 9"),
        ({"report": {"protocols": ["3w8s"]}}, 24, "0 of 6 classes have the 11 samples"),
    ],
)
def test_too_little_is_told_before_anything_is_written(home: Home, changes: Any, classes: int, told: str) -> None:
    with pytest.raises(DataError, match=told):
        trained(home, job_of(**changes), samples_of(classes))
    assert not (home.root / "meta").exists()


@pytest.mark.parametrize(("ways", "shots"), [(20, [1]), (4, [8])])
def test_too_little_is_told_by_the_labels_before_any_feature_is_made(
    home: Home, monkeypatch: pytest.MonkeyPatch, ways: int, shots: list[int]
) -> None:
    labelled = SimpleNamespace(targets=np.repeat(np.arange(24), 8), groups=None, task="classification")
    monkeypatch.setattr(pools, "feature_request", lambda _: None)
    monkeypatch.setattr(pools, "dataset_of", lambda *_: labelled)
    monkeypatch.setattr(pools, "_features", lambda *_: pytest.fail("features were made"))
    job = job_of(start={"kind": "map", "width": 4}, tasks={**JOB["tasks"], "ways": ways, "shots": shots})
    with pytest.raises(
        DataError, match=r"there are 12 classes, but a task of 20 ways|of 12 classes have the 11 samples"
    ):
        pools.pool_of(job, home, lambda *_: None)


def test_groups_are_held_out_whole() -> None:
    samples = samples_of(24)
    grouped = Samples(samples.inputs, samples.labels, samples.labels // 4)
    division = divided(grouped, 0.2, 0.2, seed=0)
    sides = [set(one.groups) for one in (division.training, division.validation, division.test)]
    assert [len(one) for one in sides] == [4, 1, 1]
    assert not sides[0] & sides[1] | sides[1] & sides[2] | sides[0] & sides[2]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"adapter": "logistic"}, "is logistic, through which no start is learned"),
        ({"held_out": {"validation": 0.5, "test": 0.5}}, "no class is left to learn from"),
        ({"report": {"protocols": ["5shots"]}}, "must be like `5w1s`"),
        ({"report": {"protocols": ["1w1s"]}}, "must be like `5w1s`"),
        ({"tasks": {"ways": 1}}, "greater than or equal to 2"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(changes: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        job_of(**changes)
