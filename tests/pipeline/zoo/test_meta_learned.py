"""A registered meta-model as a start: one version for ever, of the backbone that it was learned on, or one line."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.learner.mapped.test_meta_map import backbone, meta_model

from graft.core.errors import ArtifactError, SpecError
from graft.core.storage import Home
from graft.data.remote.here import copies_in
from graft.episodes.meta_model import MetaModel, read_meta_model
from graft.experiments.find_bundle import find_bundle
from graft.journal import events
from graft.journal.journal import Journal
from graft.modalities.image.storage import StoredImages
from graft.modalities.image.transforms import preprocessing_of
from graft.models.bundle import read_bundle
from graft.models.load import describe_backbone
from graft.pipeline.episodes.keeping import Kept
from graft.pipeline.episodes.registering import made_of, register_meta_model
from graft.pipeline.zoo import meta_learned
from graft.pipeline.zoo.meta_learned import check_meta_models, settle_meta_models
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.meta.starts import MapStart
from graft.spec.strategy import Strategy
from graft.tracking.projection.flattening import flatten
from graft.tracking.target import Target

CHAMPION = "models:/tiny.meta@champion"
SIDE, INFO = 32, describe_backbone("efficientnet_lite0")


def register(home: Home, training: str, width: int) -> MetaModel:
    """A meta-model that a meta-training of this home has registered in the home's own store."""
    directory = home.meta_models / "tiny" / "trainings" / training
    directory.mkdir(parents=True)
    given = preprocessing_of(StoredImages(SIDE), SIDE, INFO.input)
    model = meta_model(directory, MapStart(width=width), preprocessing=given)
    kept = Kept("champion", "it is the first of its name")
    with Journal(directory / "journal.jsonl") as journal:
        journal.append(events.ExperimentStarted("tiny", f"tiny-{training}", {"tracking": {"uri": None}}))
        journal.append(made_of(model, kept))
        register_meta_model(directory, Target(home.tracking_uri, "tiny", home.artifact_root), model, kept, journal)
    return model


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with two versions of a meta-model; a store takes seconds to make."""
    home = Home(tmp_path_factory.mktemp("home"))
    for training, width in (("one", 4), ("two", 5)):
        register(home, training, width)
    return home


def settled(home: Home, source: str = CHAMPION, **init: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {"strategy": {"init": {"kind": "meta", "source": source, **init}}, "search": {}}
    with copies_in(home):
        problems = settle_meta_models(raw)
    if problems:
        raise SpecError(problems)
    found: dict[str, Any] = raw["strategy"]["init"]
    return found


def job_of(init: dict[str, Any], **keys: Any) -> Job:
    strategy = {"backbone": INFO.name, "init": init, "freeze": 1.0, "resolution": SIDE, **keys}
    return parse_job({"version": 1, "name": "x", "data": {"kind": "digits"}, "strategy": strategy})


def loads(monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> None:
    """Whatever is loaded is the small network of the meta-model, or one like it with other weights."""
    found = SimpleNamespace(backbone=backbone(seed), info=INFO)
    monkeypatch.setattr(meta_learned, "load_backbone", lambda *_: found)


def test_a_job_says_which_version_it_was(place: Home) -> None:
    init, first = settled(place, "models:/tiny.meta/1"), place.meta_models / "tiny" / "trainings" / "one" / "tiny"
    assert (init["version"], init["digest"]) == ("models:/tiny.meta/1", read_meta_model(first).digest)
    assert Path(init["source"]) == first, "the files are here, so they are not copied"
    shown = flatten(job_of(init).model_dump(mode="json"))
    assert shown["strategy.init.version"] == "models:/tiny.meta/1", "which is what the journal and MLflow have"
    assert "meta=tiny.meta/1" in Strategy.model_validate({"init": init, "freeze": 1.0}).label()


def test_the_champion_is_a_version_that_a_settled_job_keeps(place: Home) -> None:
    assert settled(place)["version"] == "models:/tiny.meta/2"
    known = {"digest": "ab", "version": "models:/tiny.meta/1"}
    assert settled(place, **known) == {"kind": "meta", "source": CHAMPION, **known}


def test_one_of_a_store_elsewhere_is_fetched_and_fetched_again_when_its_copy_is_gone(
    place: Home, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.tracking_uri)
    loads(monkeypatch)
    other = Home(home)
    init = settled(other)
    assert Path(init["source"]).is_relative_to(other.models)
    assert init == {**settled(place), "source": init["source"]}
    shutil.rmtree(init["source"])
    check_meta_models(job_of(init), other)
    assert read_meta_model(Path(init["source"])).digest == init["digest"]


def test_another_backbone_is_refused_before_anything_starts(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    loads(monkeypatch, seed=1)
    with pytest.raises(SpecError, match=r"strategy.init.source: meta-model tiny was learned on features of net with"):
        check_meta_models(job_of(settled(place)), place)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"resolution": 48}, "resolution 32, but the samples are prepared with 48; give both the same"),
        ({"resolution": {"choice": [32, 64]}}, "resolution 32, but the samples are prepared with 64"),
        ({"aspect": {"choice": ["crop", "pad"]}}, "aspect crop, but the samples are prepared with pad"),
    ],
)
def test_samples_that_are_prepared_otherwise_are_refused_before_anything_starts(
    place: Home, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], told: str
) -> None:
    loads(monkeypatch)
    with pytest.raises(SpecError, match=f"strategy.init.source: meta-model tiny was learned with {told}"):
        check_meta_models(job_of(settled(place), **keys), place)


def test_what_is_no_meta_model_is_refused_in_a_line(place: Home, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is a meta-model, which learns tasks and answers none by itself"):
        read_bundle(find_bundle(CHAMPION, place))
    (tmp_path / "manifest.json").write_text('{"format": 2, "files": {}}')
    with pytest.raises(SpecError, match="is the bundle of a model, but no meta-model; name one that"):
        settled(place, str(tmp_path))
    with pytest.raises(SpecError, match=r"model is `models:/tiny\.meta/x`, but must be models:/<name>@champion"):
        settled(place, "models:/tiny.meta/x")
    with pytest.raises(SpecError, match=r"no version 9 of `tiny\.meta`; the newest is models:/tiny\.meta/"):
        settled(place, "models:/tiny.meta/9")
