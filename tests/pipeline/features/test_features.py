"""Features of every sample: what is asked for, where they come from, and the file they go to."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from graft.core.errors import SpecError
from graft.core.storage import Home
from graft.data.dataset import Dataset, Split
from graft.data.feature_store.features import in_process
from graft.data.feature_store.key import data_fingerprint
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.prefix import Prefix
from graft.learner.supervised import extraction_for
from graft.learner.training_data import training_data_of
from graft.pipeline.features import features as module
from graft.pipeline.features.features import FeatureSummary, table_of_features, write_features
from graft.pipeline.features.request import feature_request
from graft.pipeline.features.table import check_target
from graft.spec.load import parse_job

LITE0 = "efficientnet_lite0"
JOB = parse_job({"name": "x", "data": "digits", "strategy": {"backbone": LITE0, "resolution": 32}})


def silent(what: str, done: int, total: int) -> None:
    return None


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(autouse=True)
def ingested(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    """The samples of a test stand for those of the job, so that no Ray is needed."""
    monkeypatch.setattr(module, "dataset_of", lambda request, home, on_rows: dataset)


@pytest.fixture
def written(place: Home, tmp_path: Path) -> Callable[..., tuple[FeatureSummary, pa.Table]]:
    def write(**options: object) -> tuple[FeatureSummary, pa.Table]:
        path = tmp_path / "out.parquet"
        summary = write_features(feature_request(JOB, **options), place, path, silent)
        return summary, parquet.read_table(path)

    return write


def test_each_sample_is_a_row_with_what_a_probe_is_trained_on(written, place, dataset: Dataset) -> None:
    summary, table = written()
    assert (summary.num_features, summary.computed, summary.stored) == (1280, 36, 0)
    assert table.column_names == ["id", "split", "label", "features"]
    assert table["id"].to_pylist() == [f"{row}" for row in range(36)]
    assert table["split"].to_pylist() == ["train"] * 20 + ["validation"] * 10 + ["test"] * 6
    assert table["label"].to_pylist()[:3] == [dataset.names[code] for code in dataset.targets[:3]]
    assert table.schema.field("features").type == pa.list_(pa.float32(), 1280)
    request = feature_request(JOB)
    cache = FeatureCache(FeatureStore(place.features), "rows", frozenset([Prefix(LITE0, 32, 17)]))
    data = training_data_of(JOB, dataset, 1, feature_cache=cache)
    expected = extraction_for(data, request.strategy, Split.TEST).extract(0, 6)
    np.testing.assert_allclose(np.stack(table["features"].to_pylist()[30:]), expected, atol=1e-5)


def test_what_was_computed_once_is_read(written) -> None:
    _, first = written()
    summary, again = written()
    assert (summary.computed, summary.stored) == (0, 36)
    assert again.equals(first)


def test_fewer_blocks_are_pooled_alike_from_samples_and_from_stored_activations(written, place, dataset) -> None:
    summary, computed = written(cut=5, split="test")
    assert (summary.rows, summary.num_features, summary.computed) == ({"test": 6}, 40, 6)
    store = FeatureStore(place.features)
    for entry in store.catalog.entries():
        assert store.catalog.remove(entry.holding.digest)
    cache = FeatureCache(store, data_fingerprint(dataset), frozenset())
    data = training_data_of(JOB, dataset, 1, feature_cache=cache)
    one = extraction_for(data, feature_request(JOB, cut=5).strategy, Split.TEST)
    ones = np.ones((6, 40, 4, 4), np.float32)  # what only the store can have said
    store.build(one.key, ones.shape[1:], 6, in_process(lambda start, stop: ones[start:stop], 6)).close()
    _, read = written(cut=5, split="test")
    np.testing.assert_array_equal(np.stack(read["features"].to_pylist()), np.ones((6, 40)))
    assert np.abs(np.stack(computed["features"].to_pylist()) - 1).max() > 0.1


def test_without_room_in_the_store_they_are_computed_all_the_same(
    written, place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFT_CACHE_GB", "0.000001")
    summary, table = written(split="validation")
    assert (summary.computed, summary.stored, table.num_rows) == (10, 0, 10)
    assert "raise GRAFT_CACHE_GB" in summary.note


def test_python_gets_a_table_and_the_file_the_same_rows(written, place) -> None:
    _, table = written(split="test")
    assert table_of_features(feature_request(JOB, split="test"), place, silent).equals(table)


def test_progress_counts_over_all_splits(place, tmp_path: Path) -> None:
    told = []
    write_features(feature_request(JOB), place, tmp_path / "x.parquet", lambda *one: told.append(one))
    assert told[-1] == ("features", 36, 36)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_a_file_that_is_there_stays_when_the_work_fails(place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("mine")
    monkeypatch.setattr(module, "batches_of", lambda *arguments: iter(int(x) for x in ["no number"]))
    with pytest.raises(ValueError, match="no number"):
        write_features(feature_request(JOB), place, path, silent)
    assert path.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir() if one.name != "home"] == ["x.parquet"]


def test_another_backbone_of_the_zoo_reads_samples_of_the_jobs_size() -> None:
    request = feature_request(JOB, backbone="efficientnet_lite1")
    assert (request.strategy.backbone, request.size) == ("efficientnet_lite1", 32)
    assert request.job.strategy.values("backbone") == ("efficientnet_lite1",)


def test_one_that_the_job_may_choose_takes_the_dataset_of_its_runs() -> None:
    both = parse_job(
        {"name": "x", "data": "digits", "strategy": {"backbone": {"choice": [LITE0, "efficientnet_lite1"]}}}
    )
    assert feature_request(both, backbone=LITE0).job.strategy.values("backbone") == (LITE0, "efficientnet_lite1")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"split": "dev"}, "--split is `dev`, but must be one of train, validation, test, all"),
        ({"cut": 0}, "--cut is 0, but must be between 1 and the 17 blocks of efficientnet_lite0"),
        ({"cut": 18}, "--cut is 18, but must be between 1 and the 17 blocks of efficientnet_lite0"),
        ({"backbone": "efficientnet_lite"}, "efficientnet_lite0"),
        ({"backbone": "minilm_l6"}, "is minilm_l6, which takes texts, but the data are images"),
    ],
)
def test_what_cannot_be_had_is_refused(options, told: str) -> None:
    with pytest.raises(SpecError) as error:
        feature_request(JOB, **options)
    assert told in str(error.value)


def test_a_job_with_several_backbones_asks_for_one() -> None:
    both = parse_job(
        {"name": "x", "data": "digits", "strategy": {"backbone": {"choice": [LITE0, "efficientnet_lite1"]}}}
    )
    with pytest.raises(SpecError, match="choose it with --backbone"):
        feature_request(both)


def test_a_file_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    check_target(path, is_forced=False)
    path.write_text("mine")
    with pytest.raises(SpecError, match="exists already; name another file, or replace it with --force"):
        check_target(path, is_forced=False)
    check_target(path, is_forced=True)


@pytest.mark.parametrize(
    ("name", "told"), [("x.csv", "must end in .parquet"), ("no/x.parquet", "does not exist; make it first")]
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        check_target(tmp_path / name, is_forced=True)
