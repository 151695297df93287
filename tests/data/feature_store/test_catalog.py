import pytest

from graft.data.feature_store import locks
from graft.data.feature_store.catalog import Catalog
from graft.data.feature_store.manifest import MANIFEST

SHAPE = (3, 4)


@pytest.fixture
def catalog(store):
    return store.catalog


@pytest.fixture
def digest(key):
    return key.digest()


def test_an_empty_place(tmp_path):
    catalog = Catalog(tmp_path / "none", 5)
    assert catalog.entries() == []
    assert catalog.limit() == 5
    catalog.sweep()
    assert list(tmp_path.iterdir()) == []


def test_an_entry_says_what_there_is(catalog, store, key, produce, digest):
    with store.build(key, SHAPE, 50, produce) as features:
        (entry,) = catalog.entries()
        assert (entry.holding.digest, entry.holding.in_use, entry.problem) == (digest, True, None)
        assert entry.manifest == features.manifest
        assert entry.holding.bytes > features.manifest.bytes
        assert catalog.problems(entry) == {}
    assert [entry.holding.in_use for entry in catalog.entries()] == [False]


def test_a_damaged_entry_is_listed_with_its_problem(catalog, store, make_key, produce, flip):
    shard, manifest = make_key(cut=1), make_key(cut=2)
    for key in (shard, manifest):
        store.build(key, SHAPE, 50, produce).close()
    file = sorted(catalog.directory(shard.digest()).glob("*.arrow"))[1]
    flip(file)
    (catalog.directory(manifest.digest()) / MANIFEST).write_text("{}")
    found = {entry.holding.digest: catalog.problems(entry) for entry in catalog.entries()}
    assert found[shard.digest()] == {file.name: "has changed since it was written"}
    assert "is damaged" in found[manifest.digest()][MANIFEST]


def test_what_is_used_is_not_removed(catalog, store, key, produce, digest):
    with store.build(key, SHAPE, 50, produce):
        assert not catalog.remove(digest)
        assert catalog.directory(digest).exists()
    assert catalog.remove(digest)
    assert [path.name for path in catalog.root.rglob("*")] == ["locks", "room"]


def test_removing_what_is_not_there_is_no_error(catalog, digest):
    assert catalog.remove(digest)


def test_leftovers_of_the_dead_are_swept_and_of_the_living_not(catalog, make_key):
    dead, living, gone = (make_key(cut=cut).digest() for cut in range(3))
    for name in (f".building-{dead}-10-aa", f".building-{living}-10-bb", f".gone-{gone}-cc"):
        (catalog.root / name).mkdir(parents=True)
        (catalog.root / name / "half.arrow").write_bytes(b"x")
    with locks.exclusive(catalog.build_lock(living)):
        assert catalog.written(living) == 1
        catalog.sweep()
        assert [path.name for path in catalog.root.glob(".*")] == [f".building-{living}-10-bb"]
        catalog.sweep(held=living)
    assert list(catalog.root.glob(".*")) == []


def test_a_stranger_s_file_is_left_alone(catalog, store, key, produce):
    catalog.root.mkdir()
    (catalog.root / "notes.txt").write_text("mine")
    store.build(key, SHAPE, 50, produce).close()
    assert len(catalog.entries()) == 1
    assert (catalog.root / "notes.txt").read_text() == "mine"
