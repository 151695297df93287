import json

import pytest

from graft.core.errors import ArtifactError
from graft.data.feature_store.manifest import MANIFEST, Manifest, Shard, bounds, read_manifest


@pytest.fixture
def manifest(key):
    shards = tuple(Shard(f"{start}.arrow", start, stop, 100, "0" * 64) for start, stop in bounds(25, 10))
    return Manifest(key, (3, 4), 25, 10, shards)


def test_it_comes_back_as_it_went(manifest, tmp_path):
    manifest.write(tmp_path)
    assert read_manifest(tmp_path) == manifest
    assert manifest.bytes == 300


def test_nothing_is_no_manifest(tmp_path):
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "missing") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b'{"sha256": "x"}', b"\xff"])
def test_what_is_no_manifest_is_named(content, tmp_path):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match=str(tmp_path / MANIFEST)):
        read_manifest(tmp_path)


@pytest.mark.parametrize("change", [{"rows": 24}, {"shape": [12]}, {"shard_rows": 5}, {"shards": []}, {"format": 2}])
def test_any_change_shows(manifest, tmp_path, change):
    (tmp_path / MANIFEST).write_text(json.dumps({**manifest.to_json(), **change}))
    with pytest.raises(ArtifactError, match="its digest is not that of its content"):
        read_manifest(tmp_path)


def test_shards_must_cover_the_rows(manifest):
    with pytest.raises(ValueError, match="its shards do not cover its 25 rows"):
        Manifest.from_json(Manifest(manifest.key, (3, 4), 25, 10, manifest.shards[:2]).to_json())


@pytest.mark.parametrize(("rows", "wanted"), [(0, []), (1, [(0, 1)]), (10, [(0, 10)]), (11, [(0, 10), (10, 11)])])
def test_bounds_cover_all_rows_once(rows, wanted):
    assert bounds(rows, 10) == wanted
