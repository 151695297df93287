"""Tables that name images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.core.errors import DataError
from graft.data.listing import Listing
from graft.data.read import Unreadable
from graft.modalities.image.sources.table import list_image_table
from graft.spec.modalities.table import TableData


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three images of one colour each, in a folder beside the table."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (20, 20), (40 * number, 0, 0)).save(folder / f"{number}.png")
    return tmp_path


def listed(root: Path, rows: str, **keys: object) -> Listing:
    (root / "table.csv").write_text(f"file,age,use\n{rows}")
    return list_image_table(
        TableData.model_validate({"path": root / "table.csv", "image": "file", "label": "age"} | keys)
    )


def test_paths_start_at_the_table_or_are_whole(photos: Path) -> None:
    listing = listed(photos, f"photos/0.png,3.5,train\n{photos}/photos/1.png,4,test\n", split="use")
    assert listing.ids == ("table.csv:1", "table.csv:2")
    assert listing.targets.values.tolist() == [3.5, 4.0]
    assert listing.given.tolist()[1] != listing.given.tolist()[0]
    for number, source in enumerate(listing.sources):
        pixels = listing.reader(source, 8).pixels
        assert np.unique(pixels[..., 0]).tolist() == [40 * number]


@pytest.mark.parametrize("cell", ["photos/gone.png", '""', "photos"])
def test_a_file_that_is_not_there_is_left_to_the_decoder(photos: Path, cell: str) -> None:
    listing = listed(photos, f"photos/0.png,1,a\n{cell},2,b\n")
    assert len(listing) == 2
    with pytest.raises(Unreadable):
        listing.reader(listing.sources[1], 8)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("photos/gone.png", "row whose file is not there"),
        ("photos/none.png", "row whose file is empty"),
        ('""', "row without a file"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_size(photos: Path, cell: str, reason: str) -> None:
    (photos / "photos" / "none.png").touch()
    (told,) = listed(photos, f"photos/0.png,1,a\n{cell},2,b\n{cell},,b\n").unreadable
    assert (told.reason, told.count) == (reason, 1)


def test_identity_changes_with_an_image(photos: Path) -> None:
    before = listed(photos, "photos/0.png,1,a\n").identity
    Image.new("RGB", (21, 20)).save(photos / "photos" / "0.png")
    after = list_image_table(TableData(path=photos / "table.csv", image="file", label="age")).identity
    assert after != before


def test_a_missing_column_is_told(photos: Path) -> None:
    with pytest.raises(DataError, match=r"no column `files`.*did you mean `file`"):
        listed(photos, "photos/0.png,1,a\n", image="files")


@pytest.mark.parametrize("cells", [("0", "1"), (" 0", "1 "), ("0.png", "1.png")])
def test_names_without_their_folder_or_suffix_are_found_in_the_folder_beside(
    photos: Path, cells: tuple[str, str]
) -> None:
    (photos / ".cache").mkdir()
    (photos / ".cache" / "0.png").touch()
    (photos / "link").symlink_to(photos / "photos")
    listing = listed(photos, f"{cells[0]},1,a\n{cells[1]},2,b\n")
    for number, source in enumerate(listing.sources):
        assert np.unique(listing.reader(source, 8).pixels[..., 0]).tolist() == [40 * number]
    assert not listing.unreadable


def test_which_of_several_folders_is_meant_is_said_by_the_table_or_by_the_user(photos: Path) -> None:
    for name in ("train", "test"):
        (photos / name).mkdir()
        (photos / name / "7.png").write_bytes((photos / "photos" / "0.png").read_bytes())
    rows = "7,1,a\n7,2,b\n"
    with pytest.raises(DataError, match=r"table.csv names files that lie in `test` and in `train`; .*directory: test"):
        listed(photos, rows)
    assert listed(photos, rows, directory=photos / "train").sources[0].endswith(b"/train/7.png")
    (photos / "train_labels.csv").write_text(f"file,age,use\n{rows}")
    spec = TableData.model_validate({"path": photos / "train_labels.csv", "image": "file", "label": "age"})
    assert list_image_table(spec).sources[0].endswith(b"/train/7.png")


def test_a_stem_of_two_files_and_a_directory_that_is_not_there_are_refused(photos: Path) -> None:
    (photos / "photos" / "0.jpg").touch()
    with pytest.raises(DataError, match=r"`0` may be `0.jpg` or `0.png` of .*photos; write names with their suffixes"):
        listed(photos, "0,1,a\n1,2,b\n")
    with pytest.raises(DataError, match=r"data.directory is .*nope, but there is no such directory"):
        listed(photos, "0,1,a\n1,2,b\n", directory=photos / "nope")


def test_names_of_which_some_lie_nowhere_are_paths(photos: Path) -> None:
    listing = listed(photos, "0,1,a\n9,2,b\n")
    assert sum(one.count for one in listing.unreadable) == 2
