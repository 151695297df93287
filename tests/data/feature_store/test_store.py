import errno
import os
import pickle
import shutil
import threading

import numpy as np
import pytest

from graft.core.errors import SpecError
from graft.data.feature_store import catalog, locks, manifest, writer
from graft.data.feature_store.locks import NotStored
from graft.data.feature_store.manifest import MANIFEST
from graft.data.feature_store.store import FeatureStore, Watch

ROWS, SHAPE = 50, (3, 4)


@pytest.fixture
def wanted(produce):
    wanted = np.concatenate(list(produce(0, ROWS)))
    produce.asked.clear()
    return wanted


@pytest.fixture
def shards(store, key):
    """Files of the shards, in order."""
    return lambda: sorted(store.catalog.directory(key.digest()).glob("*.arrow"))


def left_behind(root):
    """What is in the store but finished features and locks."""
    return [path.name for path in root.iterdir() if len(path.name) != 64 and path.name != "locks"]


def test_nothing_is_there_at_first_and_looking_leaves_nothing(store, key, root):
    assert store.open(key) is None
    assert not root.exists()


def test_built_once_then_found(store, key, produce, wanted, root):
    with store.build(key, SHAPE, ROWS, produce) as features:
        np.testing.assert_array_equal(features.rows(slice(None)), wanted)
        assert (features.work.kind, features.work.rows, features.work.bytes) == ("built", 50, features.manifest.bytes)
    for again in (store.build(key, SHAPE, ROWS, produce), FeatureStore(root).open(key)):
        with again:
            np.testing.assert_array_equal(again.rows(slice(None)), wanted)
            assert (again.work.kind, again.work.bytes) == ("hit", 0)
    assert produce.asked == [(0, 50)]
    assert left_behind(root) == []


def test_other_weights_under_the_same_name_are_never_a_hit(store, make_key, produce):
    store.build(make_key(weights_digest="before"), SHAPE, ROWS, produce).close()
    after = make_key(weights_digest="after")
    assert store.open(after) is None
    with store.build(after, SHAPE, ROWS, lambda start, stop: [np.ones((stop - start, *SHAPE), np.float32)]) as features:
        assert (features.rows([3]) == 1).all()


def test_progress_is_told(store, key, produce):
    told = []
    store.build(key, SHAPE, ROWS, produce, Watch(on_rows=lambda done, total: told.append((done, total)))).close()
    assert told[0] == (7, 50)
    assert told[-1] == (50, 50)


@pytest.mark.parametrize(("shape", "rows"), [((3, 4), 49), ((4, 3), 50)])
def test_one_key_cannot_be_two_things(store, key, produce, shape, rows):
    store.build(key, SHAPE, ROWS, produce).close()
    with pytest.raises(ValueError, match=r"are asked for, but 50 rows \(3, 4\) are stored under the same key"):
        store.build(key, shape, rows, produce)
    assert store.catalog.remove(key.digest()), "and no lock is kept"


def test_a_failed_build_ends_its_producer_and_holds_no_lock(store, key):
    """At once, not when the error and the generator happen to be forgotten."""
    chunks = iter([np.zeros((60, *SHAPE), np.float32)])
    generator = (chunk for chunk in chunks)
    with pytest.raises(ValueError, match="more than 50 rows") as caught:
        store.build(key, SHAPE, ROWS, lambda start, stop: generator)
    assert generator.gi_frame is None
    assert not locks.is_held(store.catalog.use_lock(key.digest()))
    assert not locks.is_held(store.catalog.build_lock(key.digest()))
    assert caught.tb is not None


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_producer_leaves_nothing(store, key, produce, root, error):
    closed = []

    def fail(start, stop):
        try:
            yield from list(produce(start, 30))
            raise error
        finally:
            closed.append(True)

    with pytest.raises(error):
        store.build(key, SHAPE, ROWS, fail)
    assert closed == [True]
    assert left_behind(root) == []
    assert store.open(key) is None
    store.build(key, SHAPE, ROWS, produce).close()


def test_a_broken_promise_stops_the_producer_and_leaves_nothing(store, key, root):
    closed = []

    def forever(start, stop):
        try:
            while True:
                yield np.zeros((20, *SHAPE), np.float32)
        finally:
            closed.append(True)

    with pytest.raises(ValueError, match="more than 50 rows"):
        store.build(key, SHAPE, ROWS, forever)
    assert closed == [True]
    assert left_behind(root) == []


def test_a_value_too_large_for_the_type_is_not_stored(store, make_key, root):
    with pytest.raises(SpecError, match="float16 ends at 65504"):
        store.build(make_key(dtype="float16"), SHAPE, 1, lambda *_: [np.full((1, *SHAPE), 1e6, np.float32)])
    assert left_behind(root) == []


class TestDamage:
    def test_a_flipped_byte_is_computed_again_alone(self, store, key, produce, wanted, shards, flip):
        store.build(key, SHAPE, ROWS, produce).close()
        flip(shards()[2])
        assert store.open(key) is None
        with store.build(key, SHAPE, ROWS, produce) as features:
            np.testing.assert_array_equal(features.rows(slice(None)), wanted)
            assert (features.work.kind, features.work.rows) == ("repaired", 10)
        assert produce.asked == [(0, 50), (20, 30)]
        assert len(shards()) == 5
        store.open(key).close()

    def test_a_repair_may_give_other_numbers(self, store, key, produce, shards, flip):
        """Rounding differs between machines: the manifest follows, and the old file goes."""
        store.build(key, SHAPE, ROWS, produce).close()
        before = shards()
        flip(before[0])
        with store.build(key, SHAPE, ROWS, lambda a, b: (chunk + 1 for chunk in produce(a, b))) as features:
            assert features.rows([0])[0, 0, 0] == 1
            assert features.rows([10])[0, 0, 0] == 10
        assert len(shards()) == 5
        assert set(before) - set(shards()) == {before[0]}

    @pytest.mark.parametrize("damage", ["missing", "short", "empty"])
    def test_a_lost_file_is_computed_again(self, store, key, produce, wanted, shards, damage):
        store.build(key, SHAPE, ROWS, produce).close()
        victim = shards()[4]
        victim.unlink()
        if damage != "missing":
            victim.write_bytes(b"ARROW1" if damage == "short" else b"")
        assert store.open(key) is None
        with store.build(key, SHAPE, ROWS, produce) as features:
            np.testing.assert_array_equal(features.rows(slice(None)), wanted)
        assert produce.asked[1:] == [(40, 50)]

    @pytest.mark.parametrize("content", [b"", b"{}", None])
    def test_without_its_manifest_everything_is_computed_again(self, store, key, produce, wanted, content):
        store.build(key, SHAPE, ROWS, produce).close()
        manifest = store.catalog.directory(key.digest()) / MANIFEST
        manifest.unlink()
        if content is not None:
            manifest.write_bytes(content)
        assert store.open(key) is None
        with store.build(key, SHAPE, ROWS, produce) as features:
            np.testing.assert_array_equal(features.rows(slice(None)), wanted)
        assert produce.asked == [(0, 50), (0, 50)]

    def test_a_repair_that_the_disk_refuses_leaves_nothing(self, store, key, produce, shards, flip, monkeypatch):
        def half(path, *_):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "full")

        store.build(key, SHAPE, ROWS, produce).close()
        flip(shards()[2])
        before = sorted(store.catalog.directory(key.digest()).iterdir())
        with monkeypatch.context() as patch:
            patch.setattr(writer, "write_shard", half)
            with pytest.raises(NotStored, match="no space left"):
                store.build(key, SHAPE, ROWS, produce)
        assert sorted(store.catalog.directory(key.digest()).iterdir()) == before
        store.build(key, SHAPE, ROWS, produce).close()

    def test_features_moved_to_another_name_are_not_believed(self, store, make_key, produce):
        one, other = make_key(cut=1), make_key(cut=2)
        store.build(one, SHAPE, ROWS, produce).close()
        store.catalog.directory(one.digest()).rename(store.catalog.directory(other.digest()))
        assert store.open(other) is None
        with store.build(other, SHAPE, ROWS, produce) as features:
            assert features.work.kind == "built"

    def test_an_unchanged_file_is_read_once_a_process(self, store, key, produce, monkeypatch, shards):
        store.build(key, SHAPE, ROWS, produce).close()
        read = []
        real = manifest.file_digest
        monkeypatch.setattr(manifest, "file_digest", lambda path: (read.append(path), real(path))[1])
        store.open(key).close()
        assert read == []
        os.utime(shards()[1], ns=(7, 7))
        store.open(key).close()
        assert read == [shards()[1]]

    def test_who_has_it_open_goes_on_through_a_repair(self, store, key, produce, wanted, shards, flip):
        with store.build(key, SHAPE, ROWS, produce) as reader:
            copy = shards()[0].read_bytes()
            shards()[0].unlink()
            shards_now = store.catalog.directory(key.digest())
            (shards_now / "damaged").write_bytes(copy)
            with store.build(key, SHAPE, ROWS, produce) as repaired:
                np.testing.assert_array_equal(repaired.rows(slice(None)), wanted)
            np.testing.assert_array_equal(reader.rows(slice(None)), wanted)


class TestRemoved:
    def test_a_reader_goes_on_and_the_next_builds_again(self, store, key, produce, wanted, root):
        reader = store.build(key, SHAPE, ROWS, produce)
        shutil.rmtree(root)
        np.testing.assert_array_equal(reader.rows([49, 3]), wanted[[49, 3]])
        assert store.open(key) is None
        with store.build(key, SHAPE, ROWS, produce) as again:
            np.testing.assert_array_equal(again.rows(slice(None)), wanted)
        np.testing.assert_array_equal(reader.rows(slice(None)), wanted)

    def test_a_builder_whose_directory_goes_says_so(self, store, key, produce, root):
        def remove(start, stop):
            for index, chunk in enumerate(produce(start, stop)):
                if index == 4:
                    shutil.rmtree(root)
                yield chunk

        with pytest.raises(NotStored, match="the directory was removed"):
            store.build(key, SHAPE, ROWS, remove)
        assert store.open(key) is None
        store.build(key, SHAPE, ROWS, produce).close()


class TestRoom:
    @pytest.fixture
    def small(self, root):
        """Room for two of three: each has 150 rows of 48 bytes, what Arrow adds, and its manifest."""
        return FeatureStore(root, limit_bytes=20_000)

    def test_the_least_recently_used_goes(self, small, make_key, produce):
        keys = [make_key(cut=cut) for cut in range(3)]
        for number, key in enumerate(keys[:2]):
            small.build(key, SHAPE, 150, produce).close()
            os.utime(small.catalog.use_lock(key.digest()), (number, number))
        small.open(keys[0]).close()
        small.build(keys[2], SHAPE, 150, produce).close()
        there = [small.open(key) for key in keys]
        assert [one is not None for one in there] == [True, False, True]

    def test_never_one_in_use(self, small, make_key, produce, root):
        keys = [make_key(cut=cut) for cut in range(3)]
        readers = [small.build(key, SHAPE, 150, produce) for key in keys[:2]]
        with pytest.raises(NotStored, match=r"features need .* raise GRAFT_CACHE_GB, or free some"):
            small.build(keys[2], SHAPE, 150, produce)
        assert left_behind(root) == []
        readers[1].close()
        small.build(keys[2], SHAPE, 150, produce).close()
        assert [small.open(key) is not None for key in keys] == [True, False, True]

    def test_nothing_is_deleted_for_what_will_not_fit_anyway(self, small, make_key, produce):
        small.build(make_key(cut=1), SHAPE, 150, produce).close()
        with pytest.raises(NotStored, match="raise GRAFT_CACHE_GB"):
            small.build(make_key(cut=2), SHAPE, 1000, produce)
        assert small.open(make_key(cut=1)) is not None
        assert produce.asked == [(0, 150)], "and nothing was computed"

    def test_a_full_disk_makes_the_old_go_even_within_the_limit(self, root, make_key, produce, monkeypatch):
        store = FeatureStore(root, limit_bytes=10**9)
        store.build(make_key(cut=1), SHAPE, 150, produce).close()
        monkeypatch.setattr(catalog, "free_bytes", lambda root: 5000)
        store.build(make_key(cut=2), SHAPE, 150, produce).close()
        assert [store.open(make_key(cut=cut)) is not None for cut in (1, 2)] == [False, True]
        with pytest.raises(NotStored, match=r"features need .* but the disk has 0.00 GB free"):
            store.build(make_key(cut=3), SHAPE, 1000, produce)

    def test_zero_turns_it_off(self, root, key, produce, monkeypatch):
        monkeypatch.setenv("GRAFT_CACHE_GB", "0")
        with pytest.raises(NotStored, match=r"the cache may hold 0.00 GB"):
            FeatureStore(root).build(key, SHAPE, ROWS, produce)

    def test_what_is_being_built_counts(self, small, make_key, produce):
        """Two who build at once must not both take the same room."""

        def build_another(start, stop):
            with pytest.raises(NotStored, match="raise GRAFT_CACHE_GB"):
                small.build(make_key(cut=2), SHAPE, 200, produce)
            yield from produce(start, stop)

        small.build(make_key(cut=1), SHAPE, 200, build_another).close()


class TestTwoThreads:
    def test_the_second_waits_for_the_first(self, store, key, produce, wanted):
        first_is_in, told, got = threading.Event(), [], []
        may_go_on = threading.Event()

        def slow(start, stop):
            for index, chunk in enumerate(produce(start, stop)):
                if index == 4:
                    first_is_in.set()
                    assert may_go_on.wait(60)
                yield chunk

        def tell(seconds, share):
            told.append((seconds, share))
            may_go_on.set()

        thread = threading.Thread(target=lambda: got.append(store.build(key, SHAPE, ROWS, slow)))
        thread.start()
        assert first_is_in.wait(60)
        with store.build(key, SHAPE, ROWS, produce, Watch(on_wait=tell)) as second:
            np.testing.assert_array_equal(second.rows(slice(None)), wanted)
            assert second.work.kind == "hit"
            assert second.work.waited > 0
        thread.join()
        assert produce.asked == [(0, 50)]
        assert 0.2 < told[0][1] < 0.9, "two of five files are written"

    def test_one_who_waits_takes_over_when_the_first_fails(self, store, key, produce):
        first_is_in, may_fail = threading.Event(), threading.Event()

        def fail(start, stop):
            first_is_in.set()
            assert may_fail.wait(60)
            raise RuntimeError("first")
            yield

        def first():
            with pytest.raises(RuntimeError, match="first"):
                store.build(key, SHAPE, ROWS, fail)

        thread = threading.Thread(target=first)
        thread.start()
        assert first_is_in.wait(60)
        with store.build(key, SHAPE, ROWS, produce, Watch(on_wait=lambda *_: may_fail.set())) as features:
            assert features.work.kind == "built"
        thread.join()

    def test_who_waits_may_give_up(self, store, key, produce):
        def give_up(seconds, share):
            raise KeyboardInterrupt

        store.catalog.prepare()
        with locks.exclusive(store.catalog.build_lock(key.digest())), pytest.raises(KeyboardInterrupt):
            store.build(key, SHAPE, ROWS, produce, Watch(on_wait=give_up))
        store.build(key, SHAPE, ROWS, produce).close()


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path, key, produce):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotStored, match=r"features cannot be stored in .*file/features"):
        FeatureStore(tmp_path / "file" / "features").build(key, SHAPE, ROWS, produce)


def test_a_store_travels_to_other_processes(store, key, produce, wanted):
    store.build(key, SHAPE, ROWS, produce).close()
    with pickle.loads(pickle.dumps(store)).open(key) as features:
        np.testing.assert_array_equal(features.rows([5]), wanted[[5]])


def test_everything_is_on_the_disk_before_it_has_its_name(store, key, produce, monkeypatch):
    """The order that a power cut needs: shards, manifest, their directory, then the name."""
    steps = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(handle):
        steps.append(os.readlink(f"/proc/self/fd/{handle}").rpartition("/")[2])
        real_fsync(handle)

    def rename(source, target):
        steps.append(f"-> {os.fspath(target).rpartition('/')[2]}")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    store.build(key, SHAPE, 10, produce).close()
    names = [
        "part" if ".part" in step else "scratch" if ".building" in step else step
        for step in steps
        if ".gone" not in step
    ]
    shard = next(store.catalog.directory(key.digest()).glob("*.arrow")).name
    assert names[:2] == ["part", f"-> {shard}"]
    assert names[2].startswith(".manifest.json.")
    assert names[3:] == ["scratch", f"-> {key.digest()}", "features"]
