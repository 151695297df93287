import pickle

import numpy as np
import pytest

from graft.core.stores.address import HomeAddress
from graft.core.stores.folder import FolderStorage
from graft.core.stores.storage import StorageError, StorageFault
from graft.data.feature_store.locks import NotStored
from graft.data.feature_store.remote import Remote
from graft.data.feature_store.store import FeatureStore

ROWS, SHAPE, SHARD = 50, (3, 4), 480


@pytest.fixture
def remote(store_home):
    """Features of a home in each kind of store."""
    return Remote(HomeAddress.of(store_home), "cache/features")


@pytest.fixture
def store_of(tmp_path, remote):
    """A store of a node: `store_of("a")`."""
    return lambda name: FeatureStore(tmp_path / name, 10**6, remote, SHARD)


@pytest.fixture
def wanted(produce):
    wanted = np.concatenate(list(produce(0, ROWS)))
    produce.asked.clear()
    return wanted


def test_one_node_computes_and_the_other_copies(store_of, key, produce, wanted):
    assert store_of("a").open(key) is None
    with store_of("a").build(key, SHAPE, ROWS, produce) as built:
        assert (built.work.kind, built.work.unshared) == ("built", None)
    with store_of("b").open(key) as fetched:
        np.testing.assert_array_equal(fetched.rows(slice(None)), wanted)
        assert (fetched.work.kind, fetched.work.bytes) == ("fetched", fetched.manifest.bytes)
    with store_of("c").build(key, SHAPE, ROWS, produce) as fetched:
        assert fetched.work.kind == "fetched"
    with store_of("b").open(key) as again:
        assert again.work.kind == "hit"
    assert produce.asked == [(0, 50)]


def test_the_manifest_goes_last(store_of, key, produce, remote, monkeypatch):
    names, kind = [], type(remote._storage)
    real = kind.upload
    monkeypatch.setattr(kind, "upload", lambda self, key, *given: (names.append(key), real(self, key, *given))[1])
    store_of("a").build(key, SHAPE, ROWS, produce).close()
    assert len(names) == 6
    assert names[-1].endswith("/manifest.json")


def test_an_upload_that_stopped_half_way_is_not_believed(store_of, key, produce, remote, monkeypatch):
    kind = type(remote._storage)
    real = kind.upload

    def fail_at_the_third(self, *given):
        fail_at_the_third.count += 1
        if fail_at_the_third.count == 3:
            raise StorageError(StorageFault.AWAY, "the network is gone")
        return real(self, *given)

    fail_at_the_third.count = 0
    with monkeypatch.context() as patch:
        patch.setattr(kind, "upload", fail_at_the_third)
        with store_of("a").build(key, SHAPE, ROWS, produce) as built:
            assert built.work.unshared == "the network is gone"
            assert len(built) == ROWS
    assert store_of("b").open(key) is None
    with store_of("b").build(key, SHAPE, ROWS, produce) as built:
        assert (built.work.kind, built.work.unshared) == ("built", None)


def write_there(remote, key, name, content):
    remote._storage.delete(remote._at(key.digest(), name))
    remote._storage.create(remote._at(key.digest(), name), content)


def test_damage_there_is_found_and_mended(store_of, key, produce, wanted, remote):
    store_of("a").build(key, SHAPE, ROWS, produce).close()
    manifest = remote.find(key)
    write_there(remote, key, manifest.shards[3].file, b"x" * manifest.shards[3].bytes)
    assert store_of("b").open(key) is None
    with store_of("b").build(key, SHAPE, ROWS, produce) as built:
        np.testing.assert_array_equal(built.rows(slice(None)), wanted)
        assert built.work.kind == "built"
    with store_of("c").open(key) as fetched:
        np.testing.assert_array_equal(fetched.rows(slice(None)), wanted)


@pytest.mark.parametrize("content", [b"", b"{}", b"null"])
def test_a_damaged_manifest_there_is_none(store_of, key, produce, remote, content):
    store_of("a").build(key, SHAPE, ROWS, produce).close()
    write_there(remote, key, "manifest.json", content)
    assert remote.find(key) is None
    assert store_of("b").open(key) is None


def test_features_under_another_name_there_are_not_believed(store_of, make_key, produce, remote):
    one, other = make_key(cut=1), make_key(cut=2)
    store_of("a").build(one, SHAPE, ROWS, produce).close()
    write_there(remote, other, "manifest.json", remote._storage.read(remote._at(one.digest(), "manifest.json"))[0])
    assert remote.find(one) is not None
    assert remote.find(other) is None


def test_a_lost_file_there_is_no_error(store_of, key, produce, remote):
    store_of("a").build(key, SHAPE, ROWS, produce).close()
    remote._storage.delete(remote._at(key.digest(), remote.find(key).shards[0].file))
    assert store_of("b").open(key) is None


def test_damage_here_is_repaired_here(store_of, key, produce, flip, tmp_path):
    store_of("a").build(key, SHAPE, ROWS, produce).close()
    flip(next((tmp_path / "a" / key.digest()).glob("*.arrow")))
    with store_of("a").build(key, SHAPE, ROWS, produce) as features:
        assert features.work.kind in ("fetched", "repaired")


def test_a_copy_needs_room_here(store_of, key, produce, tmp_path, remote):
    store_of("a").build(key, SHAPE, ROWS, produce).close()
    with pytest.raises(NotStored, match="raise GRAFT_CACHE_GB"):
        FeatureStore(tmp_path / "b", 100, remote).open(key)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["locks"]


def test_a_store_that_is_away_is_gone_round(tmp_path, key, produce, folder_home, monkeypatch):
    def away(self, *given):
        raise StorageError(StorageFault.AWAY, "gone")

    for name in ("read", "upload"):
        monkeypatch.setattr(FolderStorage, name, away)
    store = FeatureStore(tmp_path / "a", 10**6, Remote(HomeAddress.of(folder_home), "features"))
    assert store.open(key) is None
    with store.build(key, SHAPE, ROWS, produce) as built:
        assert (built.work.kind, built.work.unshared) == ("built", "gone")


def test_a_home_in_a_store_shares_its_features(folder_home, node, key, produce):
    store = FeatureStore(node("a", folder_home).features, 10**6)
    store.build(key, SHAPE, ROWS, produce).close()
    travelled = pickle.dumps(store)
    node("b", folder_home)
    with pickle.loads(travelled).build(key, SHAPE, ROWS, produce) as fetched:
        assert fetched.work.kind == "fetched"


def test_a_home_that_is_a_directory_shares_nothing(tmp_path):
    assert Remote.of(tmp_path / "cache" / "features") is None
