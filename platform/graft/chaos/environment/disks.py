"""Small disks of one's own, which can be full, and files that cannot be written; only root can make them."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_TMPFS = "graft-rehearsal"
_FILLER = "filler"


def can_mount(root: Path) -> str:
    """Why no disk can be made here; empty if one can."""
    if os.geteuid() != 0:
        return "only root can make a small disk"
    probe = root / "probe"
    try:
        with small_disk(probe, 1):
            return ""
    except OSError as error:
        return f"no small disk can be made here ({error})"


@contextlib.contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path]:
    """A disk of that size at a directory, as long as the block lasts; what is on it is lost then."""
    directory.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m", _TMPFS, str(directory))
    try:
        yield directory
    finally:
        _unmount(directory)


@contextlib.contextmanager
def unreachable(directory: Path) -> Iterator[None]:
    """An empty disk that nobody can write hides a directory, as long as the block lasts.

    Files that are open stay what they are, as with storage that comes back.
    """
    _mount("-t", "tmpfs", "-o", "size=4k,ro", _TMPFS, str(directory))
    try:
        yield
    finally:
        _unmount(directory)


@contextlib.contextmanager
def read_only(file: Path) -> Iterator[None]:
    """Nobody who opens a file in the block can write it."""
    _mount("--bind", str(file), str(file))
    try:
        _mount("-o", "remount,ro,bind", str(file))
        yield
    finally:
        _unmount(file)


@contextlib.contextmanager
def read_only_tree(directory: Path) -> Iterator[None]:
    """Nobody who opens something below a directory in the block can write it; what is open already can be."""
    _mount("--bind", str(directory), str(directory))
    try:
        _mount("-o", "remount,ro,bind", str(directory))
        yield
    finally:
        _unmount(directory)


@contextlib.contextmanager
def without_inodes(disk: Path) -> Iterator[None]:
    """A small disk that has room, but for no more files, as long as the block lasts."""
    there = os.statvfs(disk)
    _mount("-o", f"remount,nr_inodes={there.f_files - there.f_ffree}", str(disk))
    try:
        yield
    finally:
        _mount("-o", f"remount,nr_inodes={there.f_files}", str(disk))


def fill(disk: Path, leave: int) -> None:
    """Leave only so many bytes of a disk; with 0, not one."""
    blocks = (1 << 20, 4096) if leave else (1 << 20, 4096, 1)
    with (disk / _FILLER).open("ab", buffering=0) as stream:
        for size in blocks:
            with contextlib.suppress(OSError):  # it is full
                while shutil.disk_usage(disk).free >= leave + size or not leave:
                    stream.write(bytes(size))


def free_again(disk: Path) -> None:
    """Delete what `fill` has written."""
    (disk / _FILLER).unlink(missing_ok=True)


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip() or f"mount ended with {done.returncode}")


def _unmount(path: Path) -> None:
    """At once, whoever still has something open there."""
    subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)
