import numpy as np
import pytest

from graft.core.errors import DataError, SpecError
from graft.data.listing import DATA_KINDS, check_classes, list_samples, require_directory
from graft.data.split import UNASSIGNED
from graft.spec.data import DigitsData, ImageFolderData


def test_every_kind_of_the_job_file_is_registered_and_importable():
    assert DATA_KINDS.names() == ("digits", "idx", "image_folder")
    for kind in DATA_KINDS.names():
        assert callable(DATA_KINDS.get(kind))


def test_an_unknown_kind_is_suggested():
    with pytest.raises(SpecError, match="did you mean `digits`"):
        list_samples(DigitsData().model_copy(update={"kind": "digit"}))


def test_the_digits_are_listed_without_a_file():
    found: list[int] = []
    listing = list_samples(DigitsData(), found.append)
    assert len(listing) == 1797
    assert found[-1] == 1797
    assert listing.classes == tuple("0123456789")
    assert (listing.channels, listing.native_side) == (1, 8)
    assert np.all(listing.given == UNASSIGNED)
    content, pixels = listing.reader(listing.sources[0], 8)
    assert pixels.shape == (8, 8)
    assert pixels.max() <= 255
    assert len(content) == 64


def test_white_of_the_digits_is_white():
    listing = list_samples(DigitsData())
    brightest = max(listing.reader(source, 8)[1].max() for source in listing.sources[:20])
    assert brightest == 255


def test_the_digits_stay_the_same():
    assert list_samples(DigitsData()).identity == list_samples(DigitsData()).identity


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["cat"], "has 1 class .cat., but needs at least 2"),
        (["Cat", "dog", "cat"], "`Cat` and `cat`, but names must differ in more than case"),
        (["dog", "cat", "dog"], "`dog` and `dog`, but names must be different"),
        (["caf\u00e9", "cafe\u0301"], "but names must differ"),
        (["STRASSE", "straße"], "but names must differ"),
    ],
)
def test_class_names_must_tell_apart(classes, message):
    with pytest.raises(DataError, match=message):
        check_classes(classes, "here")


def test_every_kind_goes_through_the_check_of_names(tmp_path, image_folder):
    image_folder(tmp_path, {"Cat": 1, "cat": 1})
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system knows no case")
    with pytest.raises(DataError, match="differ in more than case"):
        list_samples(ImageFolderData(path=tmp_path))


def test_a_directory_must_be_one(tmp_path):
    with pytest.raises(DataError, match="there is nothing there"):
        require_directory(tmp_path / "gone")
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="must be a directory, not a file"):
        require_directory(tmp_path / "data.zip")
    assert require_directory(str(tmp_path)) == tmp_path
