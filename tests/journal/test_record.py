"""An experiment that goes on is the one that was begun: the same job, and the same name in MLflow."""

from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.resume import CHANGEABLE, change_job
from graft.journal.events import ExperimentStarted
from graft.journal.journal import Journal
from graft.journal.record import Record
from graft.spec.load import load_job, parse_job

JOB = parse_job({"name": "digits", "data": "digits", "strategy": {"lr": {"loguniform": [0.001, 0.1]}, "freeze": 0.5}})


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return begun(tmp_path, JOB.model_dump(mode="json"))


def begun(root: Path, job: dict[str, Any], versions: dict[str, str] | None = None) -> Experiment:
    found = Experiment.create(Home(root), JOB)
    with Journal(found.journal_file) as journal:
        journal.append(ExperimentStarted(found.name, found.name, job, versions or {}))
    return found


def check(experiment: Experiment) -> None:
    Record.of(experiment.journal_file).require_same(experiment.job(), experiment.job_file, CHANGEABLE)


def edit(experiment: Experiment, old: str, new: str) -> None:
    text = experiment.job_file.read_text()
    assert old in text
    experiment.job_file.write_text(text.replace(old, new))


def test_what_was_not_touched_goes_on(experiment: Experiment) -> None:
    check(experiment)


def test_one_that_has_not_begun_has_nothing_to_keep_to(tmp_path: Path) -> None:
    check(Experiment.create(Home(tmp_path), JOB))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("seed: 0", "seed: 7", "search.seed: is 7, but was 0 when the experiment began"),
        ("freeze: 0.5", "freeze: 0.75", "strategy.freeze: is 0.75, but was 0.5 when"),
        ("validation: 0.2", "validation: 0.3", "data.validation: is 0.3, but was 0.2"),
        ("register: true", "register: false", "export.register: is false, but was true"),
    ],
)
def test_an_edited_job_is_told(experiment: Experiment, old: str, new: str, told: str) -> None:
    edit(experiment, old, new)
    with pytest.raises(SpecError) as caught:
        check(experiment)
    assert told in str(caught.value)
    assert str(experiment.job_file) in str(caught.value)
    assert "put it back, or start a new experiment" in str(caught.value)


def test_what_resume_may_change_may_be_edited(experiment: Experiment) -> None:
    change_job(experiment, ["search.budget.minutes=30", "keep.losers=3"])
    check(experiment)


def test_a_password_that_the_journal_masks_is_no_change(tmp_path: Path) -> None:
    job = parse_job({"name": "digits", "data": "digits", "tracking": {"uri": "http://me@host:5000"}})
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.append(ExperimentStarted("x", "x", job.model_dump(mode="json"), {}))
    Record.of(tmp_path / "journal.jsonl").require_same(job, tmp_path / "job.yaml", ())


@pytest.mark.parametrize("job", [{}, {"name": "x", "data": {"kind": "of another package"}}])
def test_a_job_of_another_version_cannot_be_compared(tmp_path: Path, job: dict[str, Any]) -> None:
    check(begun(tmp_path, job))


def test_fields_that_a_newer_graft_wrote_are_passed_over(tmp_path: Path) -> None:
    job = JOB.model_dump(mode="json")
    check(begun(tmp_path, {**job, "new_section": {"x": 1}, "search": {**job["search"], "new_key": 2}}))


def test_other_versions_are_told(tmp_path: Path) -> None:
    record = Record.of(begun(tmp_path, {}, {"graft": "0.0.9", "torch": "2.10", "gone": "1"}).journal_file)
    told = record.other_versions({"graft": "0.1.0", "torch": "2.10", "mlflow": "3.17"})
    assert told.startswith("the experiment was begun with graft 0.0.9 (now 0.1.0); it goes on")
    assert record.other_versions({"graft": "0.0.9", "torch": "2.10"}) == ""
    assert Record().other_versions({"graft": "0.1.0"}) == ""


def test_a_renamed_directory_keeps_its_name_in_mlflow(experiment: Experiment) -> None:
    before = experiment.name
    after = Experiment(experiment.directory.rename(experiment.directory.with_name("my best")))
    assert (after.name, after.key) == ("my best", before)
    record = Record.of(after.journal_file)
    assert (record.name, record.key) == (before, before)
    check(after)
    assert load_job(after.job_file) == JOB


def test_one_without_a_journal_is_found_by_its_name(tmp_path: Path) -> None:
    found = Experiment.create(Home(tmp_path), JOB)
    assert found.key == found.name
