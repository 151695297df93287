"""Experiments are found by name, by job and by `latest`."""

from pathlib import Path

import pytest

from graft.core.errors import ArtifactError, SpecError
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.find_bundle import find_bundle, pinned_model
from graft.spec.load import parse_job

JOB = parse_job({"name": "digits", "data": "digits", "strategy": {"lr": {"loguniform": [1e-4, 1e-2]}}})


def test_the_job_comes_back_as_it_was(home: Path) -> None:
    experiment = Experiment.create(Home.find(), JOB)
    assert experiment.job() == JOB
    assert experiment.directory.parent == home / "experiments"


def test_a_job_of_a_newer_graft_can_still_be_read(home: Path) -> None:
    experiment = Experiment.create(Home.find(), JOB)
    experiment.job_file.write_text(experiment.job_file.read_text() + "hologram: {depth: 3}\n")
    assert experiment.job() == JOB


def test_experiments_are_found_by_name_by_job_and_by_latest(home: Path) -> None:
    place = Home.find()
    first, second = Experiment.create(place, JOB), Experiment.create(place, JOB)
    newest = Experiment.names(place)[0]
    assert {first.name, second.name} == set(Experiment.names(place))
    assert Experiment.find(place, first.name) == first
    assert Experiment.find(place, "latest").name == Experiment.find(place, "digits").name == newest


def test_an_unknown_experiment_names_the_nearest(home: Path) -> None:
    name = Experiment.create(Home.find(), JOB).name
    with pytest.raises(SpecError, match=f"did you mean `{name}`"):
        Experiment.find(Home.find(), name[:-1])


def test_an_empty_home_says_what_to_do(home: Path) -> None:
    with pytest.raises(SpecError, match="graft run"):
        Experiment.find(Home.find(), "latest")


def test_an_experiment_without_a_bundle_says_how_to_get_one(home: Path) -> None:
    Experiment.create(Home.find(), JOB)
    with pytest.raises(ArtifactError, match="graft resume"):
        find_bundle("latest", Home.find())


def test_a_directory_that_is_no_bundle_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is not a bundle"):
        find_bundle(str(tmp_path), Home.find())


def test_the_address_of_a_model_is_pinned(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = Experiment.create(Home.find(), JOB).name
    monkeypatch.chdir(tmp_path.parent)
    assert pinned_model("digits", Home.find()) == pinned_model("latest", Home.find()) == name
    (tmp_path / "manifest.json").touch()
    assert pinned_model(tmp_path.name, Home.find()) == str(tmp_path)


def test_a_model_that_is_not_there_is_not_pinned(home: Path) -> None:
    for model in ("digits", "models:/digits@champion"):
        with pytest.raises(SpecError, match=model):
            pinned_model(model, Home.find())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty, but must be a mapping of keys to values"),
        ("- 1\n", "it is a list, but must be a mapping of keys to values"),
        ("name: [\n", "it is no YAML from line 2 on"),
        ("[" * 5000, "it is no YAML"),
        ("name: a\n", "data is missing, but must be given"),
    ],
)
def test_a_stored_job_that_is_none_is_told_in_a_line_of_ours(home: Path, text: str, told: str) -> None:
    experiment = Experiment.create(Home.find(), JOB)
    experiment.job_file.write_text(text)
    with pytest.raises(ArtifactError) as caught:
        experiment.job()
    assert str(caught.value).startswith(f"{experiment.job_file} cannot be read as a job ({told}")
    assert str(caught.value).endswith("put it back from a copy, or run the job anew")
