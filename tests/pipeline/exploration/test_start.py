"""Explorations on the features of a meta-model: mapped in the pool, in the bundle and in the experiment; or refused."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.learner.mapped.test_meta_map import meta_model

from graft.core.errors import SpecError
from graft.core.storage import Home
from graft.episodes.meta_model import MetaModel
from graft.episodes.samples import RAW
from graft.models.load import check_backbone
from graft.pipeline.exploration.backbone import Embedding
from graft.pipeline.exploration.ending import Labelled, job_of
from graft.pipeline.exploration.model import write_model
from graft.pipeline.exploration.pool import Wish, find_pool, read_pool
from graft.pipeline.exploration.start import Begun, start_of, with_start
from graft.pipeline.zoo import meta_learned
from graft.serving.predictor import Predictor
from graft.spec.components.initialisation import MetaLearned, Pretrained
from graft.spec.load import parse_job
from graft.spec.meta.starts import MapStart, NetworkStart

needs_weights = pytest.mark.skipif(bool(check_backbone("efficientnet_lite0")), reason="needs the weights")
SIDE = "strategy.resolution=32"


@pytest.fixture
def source(shades: Path, tmp_path: Path) -> Path:
    """A map on features of such images; its numbers are drawn."""
    return learned(tmp_path, shades, MapStart(width=4)).directory


def learned(place: Path, folder: Path, start: MapStart) -> MetaModel:
    seen = find_pool(folder, Wish(overrides=(SIDE,))).embedding
    return meta_model(place, start, preprocessing=seen.preprocessing, network=seen.backbone())


def from_meta(source: Path | str) -> str:
    return f"strategy.init={{kind: meta, source: {source}}}"


@needs_weights
def test_features_bundle_and_experiment_are_behind_its_map(shades: Path, source: Path, tmp_path: Path) -> None:
    plain, pool = (
        find_pool(shades, Wish(oracle="folders", overrides=(SIDE, *one))) for one in ((), (from_meta(source),))
    )
    assert (plain.meta_model, pool.meta_model) == ("", str(source))
    assert pool.embedding.about == "efficientnet_lite0, mapped by tiny, meta-learned on 0 classes"
    raw, found = (read_pool(one, tmp_path / "reader", lambda done, of: None) for one in (plain, pool))
    mapping = pool.embedding.network(pool.embedding.strategy, 2).scaling
    assert mapping is not None
    np.testing.assert_allclose(found.features, mapping(torch.from_numpy(raw.features)).numpy(), atol=1e-6)
    truth = dict(zip(pool.ids, pool.truth or (), strict=True))
    labels = {row: str(truth[name]) for row, name in enumerate(found.ids)}
    write_model(tmp_path / "bundle", "shades", pool.embedding, found.features, labels)
    answers = Predictor.from_directory(tmp_path / "bundle").predict_files(shades / "light")
    assert [one.label for one in answers] == ["light"] * 6
    train = {name: str(truth[name]) for name in pool.ids[:4] + pool.ids[6:10]}
    job = job_of(pool, Labelled(train, {pool.ids[5]: "dark"}), Home(tmp_path / "home"), is_reached=False)
    assert start_of(job) == pool.embedding.strategy.init
    assert start_of(job).map_shape == (4, 0)


@needs_weights
@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["{meta}"], "resolution 32, but the samples are prepared with"),
        (["{meta}", SIDE, "strategy.aspect=pad"], "aspect crop, but the samples are prepared with pad"),
        (["strategy.init={{choice: [pretrained, {{kind: meta, source: tiny}}]}}"], "explore takes one start"),
        (["strategy.init={{kind: mapped, source: a.pt}}"], "is mapped, but graft explore takes features of pretrained"),
        (["data.limit=3"], "--set data.limit is given, but of a folder or table only keys of `strategy`"),
        (["strategy.backbone=minilm_l6"], "the backbone of a folder or table is --backbone"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_sample_is_read(
    shades: Path, source: Path, overrides: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Embedding, "features", None)
    given = tuple(one.format(meta=from_meta(source)) for one in overrides)
    with pytest.raises(SpecError, match=told) as refused:
        find_pool(shades, Wish(overrides=given))
    assert "\n" not in str(refused.value)


@needs_weights
def test_a_meta_model_of_other_weights_is_refused(shades: Path, tmp_path: Path) -> None:
    seen = find_pool(shades, Wish(overrides=(SIDE,))).embedding
    other = copy.deepcopy(seen.backbone())
    torch.nn.init.ones_(next(other.parameters()))
    found = meta_model(tmp_path, MapStart(width=4), preprocessing=seen.preprocessing, network=other)
    with pytest.raises(SpecError, match="was learned on features of net with other weights or blocks"):
        find_pool(shades, Wish(overrides=(SIDE, from_meta(found.directory))))


def test_a_network_of_its_own_is_no_start_of_frozen_features(tmp_path: Path) -> None:
    found = meta_model(tmp_path, NetworkStart(), RAW)
    with pytest.raises(SpecError, match="whose start is network, but it must be map"):
        with_start(job_from(str(found.directory)), None)


def job_from(source: str):
    strategy = {"init": {"kind": "meta", "source": source}, "freeze": 1.0}
    return parse_job({"version": 1, "name": "x", "data": {"kind": "digits"}, "strategy": strategy})


def test_a_name_means_what_it_meant_when_the_exploration_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    champion = {"source": str(tmp_path), "digest": "2" * 64, "version": "models:/tiny.meta/2", "width": 4, "hidden": 0}
    monkeypatch.setattr(meta_learned, "_settled", lambda source: champion)
    first = MetaLearned.model_validate({**champion, "digest": "1" * 64, "version": "models:/tiny.meta/1"})
    asked = "models:/tiny.meta@champion"
    for begun, version in ((None, "2"), (Begun(asked, first), "1"), (Begun("another", first), "2")):
        job, named = with_start(job_from(asked), begun)
        assert named == asked
        assert start_of(job).digest == version * 64
    assert start_of(parse_job({"version": 1, "name": "x", "data": {"kind": "digits"}})) == Pretrained()


def test_a_registered_copy_that_is_gone_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(meta_learned, "_registered", lambda uri, home: fetched.append(uri))
    gone = MetaLearned(source=str(tmp_path / "gone"), digest="1" * 64, version="models:/tiny.meta/1", width=4)
    with_start(job_from("tiny"), Begun("tiny", gone))
    assert fetched == ["models:/tiny.meta/1"]
