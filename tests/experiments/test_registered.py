from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import ArtifactError
from graft.core.storage import Home, directory_digest
from graft.experiments.directory import Experiment
from graft.experiments.registered import recorded_digest
from graft.journal.events import ModelRegistered
from graft.journal.journal import Journal
from graft.spec.load import parse_job

REMOTE = "http://tracker:5000"


@pytest.fixture
def place(home: Path) -> Home:
    return Home(home)


def registered(home: Home, version: str, digest: str, **job: Any) -> Experiment:
    experiment = Experiment.create(home, parse_job({"name": "digits", "data": "digits", **job}))
    name = experiment.job().model_name
    with Journal(experiment.journal_file) as journal:
        journal.append(ModelRegistered(f"models:/{name}/{version}", version, digest))
    return experiment


def test_the_journal_of_the_experiment_that_registered_it_is_asked(place: Home) -> None:
    registered(place, "1", "one")
    registered(place, "2", "two")
    registered(place, "1", "other", export={"model_name": "another"})
    registered(place, "1", "far", tracking={"uri": REMOTE})
    assert recorded_digest(place, place.tracking_uri, "digits", "1") == "one"
    assert recorded_digest(place, place.tracking_uri, "digits", "2") == "two"
    assert recorded_digest(place, place.tracking_uri, "another", "1") == "other"
    assert recorded_digest(place, REMOTE, "digits", "1") == "far"


def test_a_version_that_nobody_here_registered_is_refused_in_our_own_store_only(place: Home) -> None:
    registered(place, "1", "one")
    with pytest.raises(ArtifactError, match="models:/digits/9 was registered by no experiment"):
        recorded_digest(place, place.tracking_uri, "digits", "9")
    assert recorded_digest(place, REMOTE, "digits", "9") is None


def test_damage_elsewhere_is_no_reason_not_to_load(place: Home) -> None:
    registered(place, "1", "one")
    registered(place, "2", "two").job_file.write_text("{")
    assert recorded_digest(place, place.tracking_uri, "digits", "1") == "one"


def test_an_old_journal_without_a_digest_trusts_its_own_bundle(place: Home) -> None:
    experiment = registered(place, "1", "")
    with pytest.raises(ArtifactError, match="whose bundle is gone"):
        recorded_digest(place, place.tracking_uri, "digits", "1")
    experiment.bundle.mkdir()
    (experiment.bundle / "manifest.json").write_text("{}")
    assert recorded_digest(place, place.tracking_uri, "digits", "1") == directory_digest(experiment.bundle)
