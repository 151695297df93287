"""Folders of text files, as folders of images are listed."""

from pathlib import Path

import pytest

from graft.core.errors import DataError
from graft.data.listing import Listing
from graft.data.split import UNASSIGNED, Split
from graft.modalities.text.files import TextFile
from graft.modalities.text.sources.text_folder import list_text_folder, text_files
from graft.spec.modalities.text import TextFolderData


def made(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    return root


def listed(root: Path) -> Listing:
    return list_text_folder(TextFolderData(path=root, encoding="latin-1"))


def test_each_folder_is_a_class(tmp_path: Path) -> None:
    listing = listed(made(tmp_path, "good/a.txt", "good/deep/b.TXT", "bad/c.txt", "bad/c.md", "bad/.hidden.txt"))
    assert listing.ids == ("bad/c.txt", "good/a.txt", "good/deep/b.TXT")
    assert listing.targets.categories == ("bad", "good")
    assert listing.targets.values.tolist() == [0, 1, 1]
    assert listing.given.tolist() == [UNASSIGNED] * 3
    assert {one.reason: one.examples for one in listing.ignored} == {
        "hidden": ("bad/.hidden.txt",),
        "suffix .md": ("bad/c.md",),
    }
    assert listing.reader == TextFile("latin-1")
    assert listing.reader(listing.sources[0]) == "text of bad/c.txt"


def test_folders_may_be_splits(tmp_path: Path) -> None:
    made(tmp_path, "train/a/1.txt", "train/b/1.txt", "validation/a/1.txt", "test/b/1.txt")
    listing = list_text_folder(TextFolderData(path=tmp_path, layout="splits"))
    assert dict(zip(listing.ids, listing.given.tolist(), strict=True)) == {
        "test/b/1.txt": Split.TEST,
        "train/a/1.txt": UNASSIGNED,
        "train/b/1.txt": UNASSIGNED,
        "validation/a/1.txt": Split.VALIDATION,
    }


def test_identity_changes_with_a_file(tmp_path: Path) -> None:
    before = listed(made(tmp_path, "a/1.txt", "b/1.txt")).identity
    assert listed(tmp_path).identity == before
    (tmp_path / "a" / "1.txt").write_text("longer than before, surely")
    assert listed(tmp_path).identity != before


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a.txt",), "holds texts directly, but must hold one folder of texts for each class"),
        (("a.md",), "holds no texts, but must hold one folder"),
        (
            ("a/1.txt", "b/1.md"),
            r"class folder .*/b is empty \(its 1 files are not named .txt\); add texts or remove it",
        ),
        (("train/a/1.txt", "test/b/1.txt"), "has the class `b` for validation or test, but not in train"),
        (("train/a/1.txt", "val/a/1.txt", "valid/a/1.txt"), "has the folders val and valid, but must have one"),
    ],
)
def test_a_bad_folder_gets_one_line(names: tuple[str, ...], told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        listed(made(tmp_path, *names))


def test_the_directory_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is nothing there"):
        listed(tmp_path / "no")
    with pytest.raises(DataError, match="must be a directory"):
        listed(made(tmp_path, "a.txt") / "a.txt")


def test_the_encoding_must_be_one(tmp_path: Path) -> None:
    made(tmp_path, "a/1.txt", "b/1.txt")
    for name in ("klingon", "base64", "a\0b"):
        with pytest.raises(DataError, match="but must be one that Python knows, such as utf-8"):
            list_text_folder(TextFolderData(path=tmp_path, encoding=name))


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    made(tmp_path, "a/1.txt", "b/1.txt")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    assert listed(tmp_path).ids == ("a/1.txt", "b/1.txt")
    found = text_files(tmp_path)
    assert found.files == [tmp_path / "a" / "1.txt", tmp_path / "b" / "1.txt"]
    assert list(map(str, found.ignored)) == ["link that leads back: 1 (a/again)"]
