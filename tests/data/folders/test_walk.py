"""What the walk finds, and what it leaves out with a reason."""

import errno
import inspect
import os
import sys
from pathlib import Path

import pytest

from graft.core.errors import DataError, ResourceError
from graft.data.folders.walk import walk
from graft.modalities.image.file_names import IMAGE_FILES
from graft.modalities.text.file_names import TEXT_FILES


def left_out(root: Path, samples=IMAGE_FILES, ignore=()) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {one.reason: (one.count, one.examples) for one in walk(root, samples, ignore).ignored}


SYSTEM_FOLDERS = [
    "@eaDir/0.png/SYNOPHOTO_THUMB_XL.jpg", "#recycle/a.png", "#snapshot/a.png", ".@__thumb/default.png",
    "@Recycle/a.png", "__MACOSX/cat/0.png", ".Trashes/a.png", ".Spotlight-V100/a.png", "$RECYCLE.BIN/S-1-5/a.png",
    "System Volume Information/a.png", "lost+found/a.png", ".thumbnails/a.png", ".git/a.png", ".svn/a.png",
    ".hg/a.png", ".ipynb_checkpoints/a-checkpoint.png", "__pycache__/a.png", "@SynoFinder/a.png", "~snapshot/a.png",
    "FOUND.000/a.png", ".Trash-1000/files/a.png", "Lightroom Previews.lrdata/a.png", "_vti_cnf/0.png",
]  # fmt: skip
SYSTEM_FILES = [
    "._0.png", "Thumbs.db", "ehthumbs.db", "desktop.ini", ".DS_Store", "Icon\r", "0.png@SynoEAStream", "Picasa.ini",
    "THUMBS.DB", ".nomedia", ".nfs0000000001234567",
]  # fmt: skip


@pytest.mark.parametrize("place", ["", "cat/", "train/cat/"])
@pytest.mark.parametrize("name", SYSTEM_FOLDERS)
def test_folders_of_systems_are_left_out_at_any_depth(grow, place, name):
    root = grow("cat/%.png*2", f"{place}{name}")
    assert left_out(root) == {"system folder": (1, (f"{place}{name}",))}
    assert walk(root, IMAGE_FILES).top.count == 2


@pytest.mark.parametrize("name", SYSTEM_FILES)
def test_files_of_systems_are_left_out(grow, name):
    root = grow("cat/%.png*2", f"cat/{name}")
    assert left_out(root) == {"system file": (1, (f"cat/{name}",))}


def test_names_that_could_be_labels_are_no_systems(grow):
    root = grow("recycled/%.png*2", "trash/%.png*2", "CVS/%.png*2", "git/%.png", "thumbs/%.png", "cache/%.png")
    assert (left_out(root), walk(root, IMAGE_FILES).top.count) == ({}, 9)


def test_the_thumbnails_of_a_storage_box_are_counted(grow):
    root = grow(*(f"{folder}/@eaDir/{n}.png/SYNOPHOTO_THUMB_M.jpg" for folder in ("cat", "dog") for n in range(4)))
    ((count, examples),) = left_out(root).values()
    assert (count, len(examples)) == (8, 3)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.mp4", "suffix .mp4"),
        ("a.JPG_large", "suffix .jpg_large"),
        ("a.png~", "unusual suffix"),
        ("img.0001", "unusual suffix"),
        ("what is. this file called", "unusual suffix"),
        (".hidden.png", "hidden"),
        ("a.zip", "suffix .zip"),
    ],
)
def test_other_files_are_told_by_their_suffix(grow, name, reason):
    assert left_out(grow("cat/0.png", f"cat/{name}")) == {reason: (1, (f"cat/{name}",))}


def test_a_text_without_suffix_is_told(grow):
    assert left_out(grow("cat/0.txt", "cat/LICENSE"), TEXT_FILES) == {"no suffix": (1, ("cat/LICENSE",))}


def test_links_and_what_is_no_file(grow):
    root = grow("cat/0.png", "dog/0.png", "cat/b.png->/gone.png", "cat/self->self", "cat/up->..", "dog/all->/")
    os.mkfifo(root / "dog" / "pipe.png")
    tree = walk(root, IMAGE_FILES)
    assert {one.reason: one.examples for one in tree.ignored} == {"dangling link": ("cat/self",)}
    assert {one.reason: one.examples for one in tree.unreadable} == {
        "dangling link": ("cat/b.png",),
        "not a regular file": ("dog/pipe.png",),
    }
    assert [(one.path, one.is_loop) for one in tree.again] == [("cat/up", True), ("dog/all", True)]
    assert tree.dangling == ("cat/self",)
    assert tree.top.files(broken=True) == ["cat/0.png", "cat/b.png", "dog/0.png", "dog/pipe.png"]
    assert tree.top.files() == ["cat/0.png", "dog/0.png"]


def test_files_without_a_byte_are_left_out_and_told(grow):
    root = grow("cat/%.png*2", "dog/0.png", "dog/link.png->../cat/none.png")
    (root / "cat" / "none.png").touch()
    (root / "cat" / "none.doc").touch()
    tree = walk(root, IMAGE_FILES)
    (told,) = tree.unreadable
    assert (told.reason, told.count, sorted(told.examples)) == ("empty file", 2, ["cat/none.png", "dog/link.png"])
    assert [one.reason for one in tree.ignored] == ["suffix .doc"]
    assert (tree.top.count, len(tree.top.files()), len(tree.top.files(broken=True))) == (3, 3, 5)


def test_what_is_still_in_icloud_is_a_sample_that_cannot_be_read(grow):
    tree = walk(grow("cat/%.png*2", "cat/.a.png.icloud", "cat/.notes.doc.icloud", "dog/.b.jpg.icloud"), IMAGE_FILES)
    (told,) = tree.unreadable
    assert (told.reason, told.examples) == ("not downloaded from iCloud", ("cat/.a.png.icloud", "dog/.b.jpg.icloud"))
    assert [(one.reason, one.examples) for one in tree.ignored] == [("hidden", ("cat/.notes.doc.icloud",))]
    assert (tree.top.count, len(tree.top.files(broken=True))) == (2, 4)


def test_a_folder_is_known_by_its_own_name_before_those_of_links(grow):
    root = grow("a->z", "z/0.png", "far/%.png*2", "b->far")
    assert [(one.path, one.first) for one in walk(root, IMAGE_FILES).again] == [("a", "z"), ("b", "far")]


def test_deep_folders_and_long_chains_of_links_end(grow):
    root = grow("dog/0.png", "cat/" + "d/" * 150 + "0.png", *(f"l{n}->l{n + 1}" for n in range(60)))
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 60)
    try:
        tree = walk(root, IMAGE_FILES)
        assert (tree.top.count, len(tree.dangling), len(tree.top.files())) == (2, 60, 2)
    finally:
        sys.setrecursionlimit(usual)


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("extra", ["cat/0.png", "cat/0_mask.png"]),
        ("*_mask.png", ["cat/0.png", "extra/0.png", "extra/cat/0.png"]),
        ("/extra/", ["cat/0.png", "cat/0_mask.png"]),
        ("extra/cat", ["cat/0.png", "cat/0_mask.png", "extra/0.png"]),
        ("/cat", ["extra/0.png", "extra/cat/0.png"]),
        ("cat", ["extra/0.png"]),
        ("/*.png", ["cat/0.png", "cat/0_mask.png", "extra/0.png", "extra/cat/0.png"]),
    ],
)
def test_the_job_leaves_out_by_name(grow, pattern, left):
    root = grow("cat/0.png", "cat/0_mask.png", "extra/0.png", "extra/cat/0.png")
    assert walk(root, IMAGE_FILES, [pattern]).top.files() == left
    assert sum(count for count, _ in left_out(root, ignore=[pattern]).values()) == 4 - len(left)


def test_progress_is_told(grow):
    told: list[int] = []
    walk(grow("cat/%.png*2100"), IMAGE_FILES, progress=told.append)
    assert told == [1000, 2000, 2100]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_is_closed_is_named_unless_it_is_left_out(grow):
    root = grow("cat/0.png", "lost+found/0.png", "dog/0.png")
    (root / "lost+found").chmod(0)
    (root / "dog").chmod(0)
    try:
        with pytest.raises(DataError, match="dog cannot be read"):
            walk(root, IMAGE_FILES)
    finally:
        (root / "dog").chmod(0o700)
        (root / "lost+found").chmod(0o700)


def test_a_machine_without_file_handles_is_not_the_folder_s_fault(grow, monkeypatch):
    def scandir(path):
        raise OSError(errno.EMFILE, "Too many open files", path)

    root = grow("cat/0.png")
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ResourceError, match="which is no fault of the file; raise the limit of open files"):
        walk(root, IMAGE_FILES)


def test_names_of_many_kinds_are_put_together(grow):
    root = grow("cat/0.png", *(f"cat/f.{'x' * n}" for n in range(1, 9)), *(f"cat/f.{'y' * n}" for n in range(1, 9)),
                *(f"cat/f.{'z' * n}" for n in range(1, 9)))  # fmt: skip
    found = walk(root, IMAGE_FILES).ignored
    assert (len(found), found[-1].reason, found[-1].count) == (20, "other reasons", 5)


def test_raw_photos_beside_their_jpegs_are_left_out_and_told(grow):
    """A reader of TIFF finds the thumbnail in some of them, which would be the same photo again."""
    root = grow("cat/a.jpg", "cat/a.CR2", "cat/a.nef", "dog/b.jpg", "dog/b.dng", "dog/b.arw")
    tree = walk(root, IMAGE_FILES)
    assert tree.top.count == 2
    assert {one.reason for one in tree.ignored} == {f"suffix .{kind}" for kind in ("cr2", "nef", "dng", "arw")}
