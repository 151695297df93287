"""Tables in stores."""

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.core.storage import Home
from graft.data.listing import list_samples
from graft.data.remote import copies
from graft.data.remote.here import file_here
from graft.data.remote.store import Entry
from graft.spec.modalities.image import NumpyData
from graft.spec.modalities.table import TableData

TABLE = "text,kind,file\n" + "".join(f"number {row} s3://x,{'ab'[row % 2]},{row}.png\n" for row in range(20))


def table(uri, **columns):
    return TableData(path=uri, label="kind", **(columns or {"text": "text"}))


def test_a_table_is_copied_once_for_each_version(s3, monkeypatch):
    uri = s3.put("tables/reviews.csv", TABLE.encode())
    first = list_samples(table(uri))
    assert first.ids[0] == "reviews.csv:1"
    assert first.source == f"texts in {uri}"
    with monkeypatch.context() as patch:
        patch.setattr(copies, "copy_object", None)
        assert list_samples(table(uri)).identity == first.identity
    monkeypatch.setattr(copies, "_OTHERS_USE_IT_S", -1.0)
    s3.put("tables/reviews.csv", TABLE.encode() + b"more,a,b\n")
    second = list_samples(table(uri))
    assert len(second) == 21
    assert second.identity != first.identity
    with file_here(uri) as copy:
        assert [one.name for one in copy.path.parent.parent.iterdir() if one.is_dir()] == [copy.path.parent.name]


def test_what_is_wrong_with_a_table_is_told_with_its_address(s3):
    uri = s3.put("reviews.csv", TABLE.encode())
    with pytest.raises(DataError, match=r"reviews.csv has no column `stars`"):
        list_samples(TableData(path=uri, text="text", label="stars"))
    with pytest.raises(DataError, match=rf"{uri.replace('csv', 'txt')} ends in `.txt`"):
        list_samples(table(s3.put("reviews.txt", b"a")))
    with pytest.raises(DataError, match=rf"{s3.at('empty.csv')} is empty"):
        list_samples(table(s3.put("empty.csv", b"")))
    s3.put("folder/a.csv", b"a")
    with pytest.raises(DataError, match="must be a file, not a folder; name the file in it"):
        list_samples(table(s3.at("folder")))


def test_a_table_that_is_too_large_is_not_copied(s3, monkeypatch):
    uri = s3.put("reviews.csv", TABLE.encode())
    monkeypatch.setattr(copies, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="divide it, or copy it to this machine"):
        list_samples(table(uri))


def test_a_table_that_changes_while_it_is_copied_is_refused(s3, monkeypatch):
    uri = s3.put("reviews.csv", TABLE.encode())
    copied = copies.copy_object

    def written_meanwhile(address, entry):
        pieces = copied(address, entry)
        yield next(pieces)
        s3.put("reviews.csv", TABLE.encode() + b"more,a,b\n")
        yield from pieces

    monkeypatch.setattr(copies, "copy_object", written_meanwhile)
    with pytest.raises(DataError, match="has changed while it was copied"):
        list_samples(table(uri))
    assert not [one for one in Home.find().remote.iterdir() if one.is_dir()]


def test_images_of_a_table_lie_beside_it_or_anywhere(s3, web, tmp_path, encode, noise):
    root, url = web
    picture = encode(noise(8, 8, 3))
    (root / "5.png").write_bytes(picture)
    s3.put("top.png", picture)
    s3.put("tables/pictures/1.png", picture)
    cells = {
        "pictures/1.png": True,
        "/top.png": True,
        f"{url}/5.png": True,
        "../top.png": True,
        "2.png": False,
        "/etc/passwd": False,
    }
    rows = "".join(f"{cell},{'ab'[place % 2]}\n" for place, cell in enumerate(cells))
    listing = list_samples(table(s3.put("tables/t.csv", f"file,kind\n{rows}".encode()), image="file"))
    assert [str(one).split(" (")[0] for one in listing.unreadable] == ["row whose file is not there: 2"]
    for source, is_there in zip(listing.sources, cells.values(), strict=True):
        if is_there:
            assert listing.reader(source, 8).content == picture
        else:
            assert source.startswith(b"s3://")
            with pytest.raises(Exception, match="is not there any more"):
                listing.reader(source, 8)


def test_a_server_without_versions_is_asked_for_the_content_each_time(web, monkeypatch):
    root, url = web
    (root / "t.csv").write_text(TABLE)
    first = list_samples(table(f"{url}/t.csv"))
    monkeypatch.setattr("graft.data.remote.web_store._entry", lambda answer: Entry("", -1, ""))
    second = list_samples(table(f"{url}/t.csv"))
    assert len(first) == len(second) == 20
    assert list_samples(table(f"{url}/t.csv")).identity == second.identity
    (root / "t.csv").write_text(TABLE.replace("number", "count"))
    assert list_samples(table(f"{url}/t.csv")).identity != second.identity


def test_an_archive_of_arrays_is_copied(s3, tmp_path, noise):
    images, labels = noise(9, 6, 5), np.arange(9) % 3
    np.savez(tmp_path / "set.npz", x_train=images, y_train=labels)
    uri = s3.put("set.npz", (tmp_path / "set.npz").read_bytes())
    local, remote = (list_samples(NumpyData(path=path)) for path in (tmp_path / "set.npz", uri))
    assert remote.ids == local.ids
    assert [remote.sources[row] for row in range(9)] == [images[row].tobytes() for row in range(9)]
    assert remote.source == f"images in {uri}"
    assert remote.identity == list_samples(NumpyData(path=uri)).identity != local.identity
