import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import ray

from graft.core.errors import ArtifactError, ResourceError
from graft.data.feature_store.features import Extract, in_process
from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.store import FeatureStore
from graft.workers import feature_pool as module
from graft.workers.feature_pool import Pool, RayProduce

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

KEY = FeatureKey("d", "train", "{}", None, "w", "net", 3)


@dataclass(frozen=True)
class Numbers:
    """Makes what computes rows out of shared images, and leaves a file for each time it is made."""

    images: ray.ObjectRef
    made: Path

    def __call__(self) -> Extract:
        (self.made / str(os.getpid())).touch(exist_ok=False)
        images = ray.get(self.images)
        return lambda start, stop: images[start:stop].astype(np.float16) * 2


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (101, 4, 4), dtype=np.uint8)


@pytest.fixture
def factory(tmp_path, images) -> Numbers:
    (tmp_path / "made").mkdir()
    return Numbers(ray.put(images), tmp_path / "made")


def test_the_store_gets_what_one_process_would_give_it(tmp_path, factory, images):
    store = FeatureStore(tmp_path / "features", 10**8, shard_bytes=1000)
    with store.build(KEY, (4, 4), 101, RayProduce(factory, batch_size=8, pool=Pool(1))) as features:
        np.testing.assert_array_equal(features.rows(slice(None)), images.astype(np.float32) * 2)
        assert features.work.kind == "built"
    here = FeatureStore(tmp_path / "here", 10**8, shard_bytes=1000)
    alone = in_process(lambda start, stop: images[start:stop].astype(np.float32) * 2, 8)
    with here.build(KEY, (4, 4), 101, alone) as expected:
        assert expected.manifest == features.manifest
    assert len(list(factory.made.iterdir())) == 1, "the network is loaded once an actor, not once a batch"


def test_damage_is_mended_through_the_cluster(tmp_path, factory, images):
    store = FeatureStore(tmp_path / "features", 10**8, shard_bytes=1000)
    produce = RayProduce(factory, batch_size=8, pool=Pool(1))
    store.build(KEY, (4, 4), 101, produce).close()
    sorted(store.catalog.directory(KEY.digest()).glob("*.arrow"))[-1].unlink()
    with store.build(KEY, (4, 4), 101, produce) as features:
        assert features.work.kind == "repaired"
        np.testing.assert_array_equal(features.rows(slice(None)), images.astype(np.float32) * 2)


def test_several_actors_keep_the_order(factory, images):
    chunks = list(RayProduce(factory, batch_size=3, pool=Pool(2))(10, 90))
    assert len(chunks) > 1
    np.testing.assert_array_equal(np.concatenate(chunks), images[10:90].astype(np.float16) * 2)


def test_a_pool_for_this_cluster_uses_all_of_it():
    assert Pool.for_cluster() == Pool(int(ray.cluster_resources()["CPU"]))


def test_a_pool_for_a_cluster_with_gpus_has_an_actor_each(monkeypatch):
    monkeypatch.setattr(module.ray, "cluster_resources", lambda: {"CPU": 16.0, "GPU": 3.0})
    assert Pool.for_cluster() == Pool(3, cpus=1.0, gpus=1.0)


@pytest.mark.parametrize(
    ("pool", "free", "batches", "wanted"),
    [
        (Pool(4), {"CPU": 3.0}, 100, (1, 4, 3)),
        (Pool(4), {"CPU": 16.0}, 2, (1, 2, 2)),
        (Pool(4, cpus=2.0), {"CPU": 5.0}, 100, (1, 4, 2)),
        (Pool(4), {}, 100, (1, 4, 1)),
        (Pool(2, cpus=1.0, gpus=1.0), {"CPU": 8.0, "GPU": 1.0}, 100, (1, 2, 1)),
        (Pool(2, cpus=0.0, gpus=1.0), {"GPU": 2.0}, 100, (1, 2, 2)),
    ],
)
def test_a_pool_starts_with_what_has_room(monkeypatch, pool, free, batches, wanted):
    monkeypatch.setattr(module.ray, "available_resources", lambda: free)
    strategy = pool.strategy(batches)
    assert (strategy.min_size, strategy.max_size, strategy.initial_size) == wanted


def test_no_rows_need_no_actor(factory):
    assert list(RayProduce(factory, batch_size=8)(5, 5)) == []
    assert list(factory.made.iterdir()) == []


def test_a_cluster_without_a_free_cpu_is_a_clear_error(monkeypatch, factory):
    monkeypatch.setattr(module, "NO_PROGRESS_TIMEOUT_S", 1)
    with pytest.raises(ResourceError, match="Ray computed no features for 1 s, but needs a free CPU"):
        list(RayProduce(factory, batch_size=8, pool=Pool(1, cpus=1000))(0, 10))


def test_a_full_store_stops_the_actors_and_leaves_nothing(tmp_path, factory):
    store = FeatureStore(tmp_path / "features", 10**8)
    with pytest.raises(ValueError, match="features of more than 50 rows"):
        store.build(KEY, (4, 4), 50, lambda start, stop: RayProduce(factory, 8, Pool(1))(start, 101))
    assert [path.name for path in store.catalog.root.iterdir()] == ["locks"]


def test_a_batch_has_rows(factory):
    with pytest.raises(ValueError, match="batch_size is 0, but must be >= 1"):
        RayProduce(factory, 0)


@dataclass(frozen=True)
class Failing:
    """Fails where the network would be loaded, or where it would be used."""

    error: Exception
    at_start: bool

    def __call__(self) -> Extract:
        if self.at_start:
            raise self.error
        return self._extract

    def _extract(self, start: int, stop: int) -> np.ndarray:
        raise self.error


@pytest.mark.parametrize("at_start", [False, True])
def test_an_error_of_ours_arrives_as_itself(at_start):
    error = ArtifactError("weights are damaged; fetch them again")
    with pytest.raises(ArtifactError, match=r"^weights are damaged; fetch them again$"):
        list(RayProduce(Failing(error, at_start), 8, Pool(1))(0, 10))


def test_a_bug_arrives_with_its_reason():
    with pytest.raises(RuntimeError, match=r"KeyError: .the bug"):
        list(RayProduce(Failing(KeyError("the bug"), False), 8, Pool(1))(0, 10))
