import os
import uuid

import numpy as np
import pyarrow.fs as pafs
import pytest

from graft.core.errors import SpecError
from graft.data.feature_store.locks import NotStored
from graft.data.feature_store.remote import Remote
from graft.data.feature_store.store import FeatureStore

ROWS, SHAPE, SHARD = 50, (3, 4), 480


@pytest.fixture(params=["file", "mock", "memory", "directory"])
def remote(request, tmp_path):
    """A shared store on each kind of file system."""
    if request.param == "file":
        return Remote.parse(f"file://{tmp_path}/shared/features")
    if request.param == "mock":
        return Remote(*pafs.FileSystem.from_uri("mock:///shared/features"))
    if request.param == "memory":
        return Remote.parse(f"memory://{uuid.uuid4()}/features")
    return Remote.parse(str(tmp_path / "shared"))


@pytest.fixture
def node(tmp_path, remote):
    """A store of a node: `node("a")`."""
    return lambda name: FeatureStore(tmp_path / name, 10**6, remote, SHARD)


@pytest.fixture
def wanted(produce):
    wanted = np.concatenate(list(produce(0, ROWS)))
    produce.asked.clear()
    return wanted


def test_one_node_computes_and_the_other_copies(node, key, produce, wanted):
    assert node("a").open(key) is None
    with node("a").build(key, SHAPE, ROWS, produce) as built:
        assert (built.work.kind, built.work.unshared) == ("built", None)
    with node("b").open(key) as fetched:
        np.testing.assert_array_equal(fetched.rows(slice(None)), wanted)
        assert (fetched.work.kind, fetched.work.bytes) == ("fetched", fetched.manifest.bytes)
    with node("c").build(key, SHAPE, ROWS, produce) as fetched:
        assert fetched.work.kind == "fetched"
    with node("b").open(key) as again:
        assert again.work.kind == "hit"
    assert produce.asked == [(0, 50)]


def test_the_manifest_goes_last(node, key, produce, remote, monkeypatch):
    names = []
    real = Remote._replacing
    monkeypatch.setattr(
        Remote, "_replacing", lambda self, path: (names.append(path.split("/")[-1]), real(self, path))[1]
    )
    node("a").build(key, SHAPE, ROWS, produce).close()
    assert len(names) == 6
    assert names[-1] == "manifest.json"


def test_an_upload_that_stopped_half_way_is_not_believed(node, key, produce, monkeypatch):
    real = Remote._replacing

    def fail_at_the_third(self, path):
        fail_at_the_third.count += 1
        if fail_at_the_third.count == 3:
            raise OSError("the network is gone")
        return real(self, path)

    fail_at_the_third.count = 0
    with monkeypatch.context() as patch:
        patch.setattr(Remote, "_replacing", fail_at_the_third)
        with node("a").build(key, SHAPE, ROWS, produce) as built:
            assert built.work.unshared == "the network is gone"
            assert len(built) == ROWS
    assert node("b").open(key) is None
    with node("b").build(key, SHAPE, ROWS, produce) as built:
        assert (built.work.kind, built.work.unshared) == ("built", None)


def test_damage_there_is_found_and_mended(node, key, produce, wanted, remote):
    node("a").build(key, SHAPE, ROWS, produce).close()
    manifest = remote.find(key)
    with remote._filesystem.open_output_stream(remote._at(key.digest(), manifest.shards[3].file)) as stream:
        stream.write(b"x" * manifest.shards[3].bytes)
    assert node("b").open(key) is None
    with node("b").build(key, SHAPE, ROWS, produce) as built:
        np.testing.assert_array_equal(built.rows(slice(None)), wanted)
        assert built.work.kind == "built"
    with node("c").open(key) as fetched:
        np.testing.assert_array_equal(fetched.rows(slice(None)), wanted)


@pytest.mark.parametrize("content", [b"", b"{}", b"null"])
def test_a_damaged_manifest_there_is_none(node, key, produce, remote, content):
    node("a").build(key, SHAPE, ROWS, produce).close()
    with remote._filesystem.open_output_stream(remote._at(key.digest(), "manifest.json")) as stream:
        stream.write(content)
    assert remote.find(key) is None
    assert node("b").open(key) is None


def test_features_under_another_name_there_are_not_believed(node, make_key, produce, remote):
    one, other = make_key(cut=1), make_key(cut=2)
    node("a").build(one, SHAPE, ROWS, produce).close()
    remote._filesystem.create_dir(remote._at(other.digest()), recursive=True)
    remote._filesystem.copy_file(remote._at(one.digest(), "manifest.json"), remote._at(other.digest(), "manifest.json"))
    assert remote.find(one) is not None
    assert remote.find(other) is None


def test_a_lost_file_there_is_no_error(node, key, produce, remote):
    node("a").build(key, SHAPE, ROWS, produce).close()
    remote._filesystem.delete_file(remote._at(key.digest(), remote.find(key).shards[0].file))
    assert node("b").open(key) is None


def test_damage_here_is_repaired_here(node, key, produce, flip, tmp_path):
    node("a").build(key, SHAPE, ROWS, produce).close()
    flip(next((tmp_path / "a" / key.digest()).glob("*.arrow")))
    with node("a").build(key, SHAPE, ROWS, produce) as features:
        assert features.work.kind in ("fetched", "repaired")


def test_a_copy_needs_room_here(node, key, produce, tmp_path, remote):
    node("a").build(key, SHAPE, ROWS, produce).close()
    with pytest.raises(NotStored, match="raise GRAFT_CACHE_GB"):
        FeatureStore(tmp_path / "b", 100, remote).open(key)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["locks"]


def test_a_place_that_cannot_be_reached_is_gone_round(tmp_path, key, produce):
    (tmp_path / "file").write_text("")
    remote = Remote(pafs.LocalFileSystem(), os.fspath(tmp_path / "file" / "features"))
    store = FeatureStore(tmp_path / "a", 10**6, remote)
    assert store.open(key) is None
    with store.build(key, SHAPE, ROWS, produce) as built:
        assert built.work.kind == "built"
        assert built.work.unshared


def test_an_unknown_place_is_an_error():
    with pytest.raises(SpecError, match="`nowhere://x` is no place for features"):
        Remote.parse("nowhere://x")
