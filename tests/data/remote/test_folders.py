"""Folders in a store mean what they mean on a disk."""

import pytest

from graft.core.errors import DataError
from graft.data.listing import list_samples
from graft.data.overview import light_overview
from graft.spec.modalities.image import IdxData, ImageFolderData
from graft.spec.modalities.text import TextFolderData


@pytest.fixture
def photos(tmp_path, image_folder):
    root = image_folder(tmp_path / "photos", {"train/cat": 3, "train/dog": 3, "test/cat": 2, "test/dog": 2})
    (root / "train" / "cat" / "notes.txt").write_text("x")
    (root / "train" / ".cache").mkdir()
    (root / "train" / ".cache" / "a.png").write_bytes(b"x")
    (root / "train" / "dog" / "Thumbs.db").write_bytes(b"x")
    return root


def test_a_store_and_a_disk_give_the_same_samples(photos, s3):
    uri = s3.put_all(photos, "my photos")
    local, remote = (list_samples(ImageFolderData(path=path, test=0)) for path in (photos, uri))
    assert remote.ids == local.ids
    assert remote.targets.values.tolist() == local.targets.values.tolist()
    assert remote.targets.categories == local.targets.categories
    assert remote.given.tolist() == local.given.tolist()
    assert {str(one) for one in remote.ignored} == {str(one) for one in local.ignored}
    assert remote.source == f"images in {uri}"
    read = [remote.reader(source, 8).content for source in remote.sources]
    assert read == [local.reader(source, 8).content for source in local.sources]
    overviews = [light_overview(ImageFolderData(path=path, test=0)).to_dict() for path in (photos, uri)]
    assert overviews[0] == overviews[1]


def test_what_has_two_readings_is_refused_with_the_address(s3):
    for name in ("train/a.png", "bus/a.png"):
        s3.put(f"set/x/{name}", b"1")
    with pytest.raises(DataError, match=r"which holds images in the folder x only.*write data.path: 's3://.*/set/x'"):
        list_samples(ImageFolderData(path=s3.at("set")))


def test_the_identity_changes_with_a_name_a_size_or_a_version(s3):
    def identity():
        return list_samples(ImageFolderData(path=s3.at("set"))).identity

    s3.put("set/cat/1.png", b"1")
    s3.put("set/dog/1.png", b"1")
    first = identity()
    assert identity() == first
    s3.put("set/dog/1.png", b"12")
    second = identity()
    s3.put("set/dog/2.png", b"1")
    assert len({first, second, identity()}) == 3


def test_objects_without_a_byte_are_told_by_the_listing(s3):
    for name, content in (("cat/1.png", b"1"), ("cat/none.png", b""), ("dog/1.png", b"1")):
        s3.put(f"set/{name}", content)
    (told,) = list_samples(ImageFolderData(path=s3.at("set"))).unreadable
    assert (told.reason, told.count, told.examples) == ("empty file", 1, ("cat/none.png",))


def test_names_that_are_no_paths_are_left_out(s3):
    for name in ("cat/1.png", "dog/1.png", "dog/../2.png", "dog//3.png"):
        s3.put(f"set/{name}", b"1")
    listing = list_samples(ImageFolderData(path=s3.at("set")))
    assert set(listing.ids) == {"cat/1.png", "dog/1.png"}


def test_an_empty_folder_of_a_class_is_refused_as_on_a_disk(s3):
    s3.put("set/cat/1.png", b"1")
    s3.put("set/dog/1.png", b"1")
    s3.put("set/bird/", b"")
    with pytest.raises(DataError, match=r"class folder s3://.*/set/bird is empty"):
        list_samples(ImageFolderData(path=s3.at("set")))


def test_texts_are_read_from_a_store(s3):
    s3.put("texts/good/1.txt", b"very nice")
    s3.put("texts/bad/1.txt", b"not at all")
    listing = list_samples(TextFolderData(path=s3.at("texts")))
    assert [listing.reader(source) for source in listing.sources] == ["not at all", "very nice"]


def test_idx_files_are_copied_once(idx_directory, s3, monkeypatch):
    uri = s3.put_all(idx_directory, "idx")
    local, remote = (list_samples(IdxData(path=path)) for path in (idx_directory, uri))
    assert remote.ids == local.ids
    assert list(remote.sources) == list(local.sources)
    assert remote.source == f"IDX files in {uri}"
    monkeypatch.setattr("graft.data.remote.copies.copy_object", None)  # they are here already
    again = list_samples(IdxData(path=uri))
    assert again.identity == remote.identity
    assert light_overview(IdxData(path=uri)).splits == light_overview(IdxData(path=idx_directory)).splits


def test_idx_files_that_are_missing_are_told_with_the_address(s3):
    s3.put("idx/readme", b"1")
    with pytest.raises(DataError, match=r"s3://.*/idx has no train-images-idx3-ubyte.gz"):
        list_samples(IdxData(path=s3.at("idx")))


def test_a_list_of_addresses_makes_folders(web, image_folder):
    root, url = web
    image_folder(root / "data", {"big cat": 2, "dog": 2})
    names = ["data/big%20cat/000.png", f"{url}/data/big%20cat/001.png", "# a comment", "", "/data/dog/000.png"]
    (root / "list.txt").write_text("\n".join([*names, "data/dog/001.png"]))
    listing = list_samples(ImageFolderData(path=f"{url}/list.txt"))
    assert listing.ids == ("big cat/000.png", "big cat/001.png", "dog/000.png", "dog/001.png")
    assert listing.source == f"images in {url}/data"
    contents = [listing.reader(source, 8).content for source in listing.sources]
    assert contents[0] == (root / "data" / "big cat" / "000.png").read_bytes()
    (root / "data" / "dog" / "001.png").write_bytes(b"another")
    assert list_samples(ImageFolderData(path=f"{url}/list.txt")).identity != listing.identity


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("<html>", "is a web page"),
        ("", "is empty"),
        ("ftp://h/a.png", "names ftp://h/a.png, but must hold addresses of the web"),
        ("http://a/x/1.png\nhttp://b/x/1.png", "names files of 2 servers"),
    ],
)
def test_what_is_no_list_is_refused(web, content, told):
    root, url = web
    (root / "list.txt").write_text(content)
    with pytest.raises(DataError, match=told):
        list_samples(ImageFolderData(path=f"{url}/list.txt"))
