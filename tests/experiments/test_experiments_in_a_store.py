"""Experiments of a home in a store, as machines see them that did not run them."""

import pytest
from tests.fixtures.homes import Node

from graft.core.errors import SpecError
from graft.core.stores.copy import Copy
from graft.experiments.directory import Experiment
from graft.experiments.resume import reopen
from graft.experiments.sharing import fetch, is_fetched, is_sent, send
from graft.journal.events import ExperimentStarted
from graft.journal.journal import Journal
from graft.spec.job import Job


@pytest.fixture
def job() -> Job:
    return Job.model_validate({"name": "digits", "data": {"kind": "digits"}})


def test_an_experiment_is_found_where_it_did_not_run(node: Node, store_home: str, job: Job) -> None:
    home = node("a", store_home)
    experiment = Experiment.create(home, job)
    with Journal(experiment.journal_file) as journal:
        journal.append(ExperimentStarted(experiment.name, "key", {}, {}))
    for name in ("result.json", "stages/ingest.json", "bundle/weights", "checkpoints/t01/x", "tracking/cursor.json"):
        (experiment.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (experiment.directory / name).write_text("{}")
    send(experiment.directory)
    there = node("b", store_home)
    assert Experiment.names(there) == [experiment.name]
    found = Experiment.find(there, "digits")
    assert (found.name, found.key, found.job()) == (experiment.name, "key", job)
    fetched = {path.relative_to(found.directory).as_posix() for path in found.directory.rglob("*.json")}
    assert {"result.json", "stages/ingest.json"} <= fetched
    assert not (found.directory / "bundle").exists()
    keys = {one.key.split("/", 2)[2] for one in Copy.of(there.root).storage.entries("experiments/")}  # type: ignore[union-attr]
    assert "bundle/weights" in keys
    assert not {"checkpoints/t01/x", "tracking/cursor.json"} & keys


def test_a_home_that_holds_none_is_told_by_its_address(node: Node, folder_home: str) -> None:
    with pytest.raises(SpecError, match=f"but {folder_home}/experiments holds none yet"):
        Experiment.find(node("a", folder_home), "digits")


def test_one_that_was_deleted_in_the_store_is_gone_everywhere(node: Node, folder_home: str, job: Job) -> None:
    experiment = Experiment.create(node("a", folder_home), job)
    there = node("b", folder_home)
    assert Experiment.names(there) == [experiment.name]
    copy = Copy.of(there.root)
    assert copy is not None
    copy.drop_below(there.experiments / experiment.name)
    (there.root.parent.parent / "share" / "experiments" / experiment.name).rmdir()
    assert Experiment.names(there) == []


def test_a_machine_that_runs_it_keeps_what_it_has(node: Node, folder_home: str, job: Job) -> None:
    home = node("a", folder_home)
    experiment = Experiment.create(home, job)
    (experiment.directory / "result.json").write_text("1")
    send(experiment.directory)
    other = Experiment.find(node("b", folder_home), "digits")
    (other.directory / "result.json").write_text("22")
    send(other.directory)
    node("a", folder_home)
    with Journal(experiment.journal_file):
        fetch(experiment.directory, experiment.journal_file)
        assert (experiment.directory / "result.json").read_text() == "1"
    fetch(experiment.directory, experiment.journal_file)
    assert (experiment.directory / "result.json").read_text() == "22"


def test_stages_that_run_again_are_gone_in_the_store_too(node: Node, folder_home: str, job: Job) -> None:
    experiment = Experiment.create(node("a", folder_home), job)
    for name in ("ingest", "search", "fit"):
        (experiment.stages / f"{name}.json").parent.mkdir(exist_ok=True)
        (experiment.stages / f"{name}.json").write_text("{}")
    send(experiment.directory)
    reopen(experiment)
    there = Experiment.find(node("b", folder_home), "digits")
    assert [path.name for path in there.stages.iterdir()] == ["ingest.json"]


@pytest.mark.parametrize(
    ("name", "sent", "fetched"),
    [
        ("result.json", True, True),
        ("stages/fit.json", True, True),
        ("bundle/weights.safetensors", True, False),
        ("exports/onnx/model", True, False),
        ("checkpoints/t01/best.safetensors", False, False),
        ("final/weights.safetensors", False, False),
        ("journal.jsonl", False, False),
        ("journal/0000000000000000", False, False),
        ("journal.lease", False, False),
        ("tracking/cursor.json", False, False),
        ("heartbeats/t01.json", False, False),
    ],
)
def test_what_goes_where(name: str, sent: bool, fetched: bool) -> None:
    assert (is_sent(name), is_fetched(name)) == (sent, fetched)
