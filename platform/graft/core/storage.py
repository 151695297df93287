"""Where graft keeps things, and writes that are either whole or absent."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError, ResourceError, SpecError
from graft.core.machine_faults import is_full_disk, is_out_of_inodes
from graft.core.passing_errors import machine_errors
from graft.core.private_files import close_directory, make_private_directory, open_regular, read_regular
from graft.core.scratch import hidden_beside, scratch_directory
from graft.core.stores.address import HomeAddress
from graft.core.stores.home_path import HomePath, address_of, copy_of, is_copy
from graft.core.uris import lost_scheme, scheme_of, sqlite_uri, user_path

# What graft keeps at the top of a home. The database has companions while it is open.
_HOME_ENTRIES = (
    "experiments", "cache", "mlartifacts", "mlflow.db", "mlflow.db-wal", "mlflow.db-shm", ".mlflow.db.lock", "memory",
    "explorations", "meta", "fewshot", "uploads",
)  # fmt: skip

# What stands in a clone for a large file that was not fetched.
_POINTERS = {
    b"version https://git-lfs.github.com/spec/": "is a pointer of Git LFS, not the file; fetch it with `git lfs pull`",
    b"/annex/objects/": "is a pointer of git-annex, not the file; fetch it with `git annex get`",
}


@dataclass(frozen=True)
class Home:
    """The directory that holds everything graft writes (``--home``, ``GRAFT_HOME``, default ``./.graft``).

    Attributes:
        root: the directory; of a home in a store, this node's copy of it (`graft.core.stores`).
        address: of a home in a store; empty for a directory.
    """

    root: Path
    address: str = ""

    @classmethod
    def find(cls, given: str | Path | None = None) -> "Home":
        """The home named by the argument, else by ``GRAFT_HOME``, else ``./.graft``; always absolute.

        Raises:
            SpecError: there is no such path, or no library could be told of it; a file stands in its place; or no home
                can be at that address.
            ResourceError: this node's copy of a home in a store cannot be made.
        """
        text = os.fspath(given or os.environ.get("GRAFT_HOME") or ".graft")
        if scheme_of(text):
            address = HomeAddress.of(text)
            return cls(copy_of(address), str(address))
        if lost_scheme(text):
            raise SpecError(f"home is the path {text}, which was an address; give it as text, as in s3://BUCKET/PREFIX")
        try:
            root = user_path(text).absolute()
        except FileNotFoundError as error:
            raise SpecError(
                f"home directory is `{text}`, but the working directory that it starts at has been deleted; change to "
                "one that is there (cd), or name a whole path with --home or GRAFT_HOME"
            ) from error
        _require_utf8(root)
        _require_no_file(root)
        if is_copy(root):  # named by its own path
            return cls(HomePath(root), address_of(root))
        return cls(root)

    @property
    def shown(self) -> str:
        """What the user calls it."""
        return self.address or str(self.root)

    @property
    def experiments(self) -> Path:
        return self.root / "experiments"

    @property
    def explorations(self) -> Path:
        """Pools whose samples are labelled one after another."""
        return self.root / "explorations"

    @property
    def few_shot_models(self) -> Path:
        """Models of a few samples a class, by name."""
        return self.root / "fewshot"

    @property
    def meta_models(self) -> Path:
        """What was learned over tasks, by name, with the trainings."""
        return self.root / "meta"

    @property
    def datasets(self) -> Path:
        return self.root / "cache" / "datasets"

    @property
    def frames(self) -> Path:
        """Samples that were given as objects of a program, as tables; jobs point at them."""
        return self.root / "cache" / "frames"

    @property
    def features(self) -> Path:
        """The feature store; what is in it can be computed again."""
        return self.root / "cache" / "features"

    @property
    def remote(self) -> Path:
        """Copies of tables that lie in stores."""
        return self.root / "cache" / "remote"

    @property
    def models(self) -> Path:
        """Copies of registered models, checked when they were made."""
        return self.root / "cache" / "models"

    @property
    def memory(self) -> Path:
        """What earlier tasks gave, where no other place is named for it."""
        return self.root / "memory"

    @property
    def database(self) -> Path:
        """The embedded tracking store."""
        return self.root / "mlflow.db"

    @property
    def tracking_uri(self) -> str:
        return sqlite_uri(self.database)

    @property
    def artifact_root(self) -> Path:
        return self.root / "mlartifacts"

    def close(self) -> None:
        """Let no other user of the machine into the home: its owner's data, models and records are there."""
        close_directory(self.root, _HOME_ENTRIES)

    def require_writable(self) -> None:
        """Create the home, for its owner only, and prove that it can be written.

        Raises:
            ResourceError: it cannot.
        """
        for directory in (self.root, self.experiments, self.datasets.parent, self.datasets, self.artifact_root):
            try:
                make_private_directory(directory)
                _prove_writable(directory)
            except OSError as error:
                where = "" if directory == self.root else f" at {directory}"
                raise ResourceError(
                    f"home directory {self.root} cannot be written ({error.strerror}{where}); "
                    "choose another with --home or GRAFT_HOME"
                ) from error
        self.close()


def require_writable_parent(path: Path, advice: str) -> None:
    """Make the directory in which something will be written, and prove that it can be, before that is worked for.

    Args:
        path: of what will be written.
        advice: what to do where it cannot, as the end of a sentence.

    Raises:
        ResourceError: it cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _prove_writable(path.parent)
    except OSError as error:
        raise ResourceError(f"{path} cannot be written ({error.strerror} at {path.parent}); {advice}") from error


def _prove_writable(directory: Path) -> None:
    with tempfile.TemporaryFile(dir=directory) as probe:
        probe.write(b"graft")


def _require_no_file(root: Path) -> None:
    there = next(path for path in (root, *root.parents) if path.exists())
    if not there.is_dir():
        raise SpecError(
            f"home directory {root} cannot be written ({there} is no directory); choose another with --home or "
            "GRAFT_HOME"
        )


def _require_utf8(root: Path) -> None:
    """URIs are percent-decoded as UTF-8, so that a name of other bytes comes back as another name."""
    try:
        str(root).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(root).decode("utf-8", "backslashreplace")
        raise SpecError(
            f"home directory is `{shown}`, but its name must be UTF-8; choose another with --home or GRAFT_HOME"
        ) from None


def file_digest(path: Path) -> str:
    """sha256 of a file's content, in hex."""
    with open(open_regular(path), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def directory_digest(directory: Path) -> str:
    """sha256 of the names and the contents of all files below a directory, in hex."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return text_digest("\n".join(f"{path.relative_to(directory).as_posix()} {file_digest(path)}" for path in files))


def text_digest(text: str) -> str:
    """sha256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part.

    Raises:
        ResourceError: the disk is full.
    """
    scratch = hidden_beside(path)
    try:
        with disk_full_is_clear(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with disk_full_is_clear(path), scratch.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """`write_text` of indented JSON."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ArtifactError: it is missing or is not JSON.
        ResourceError: memory or file handles have run out, which says nothing of the file.
    """
    try:
        with machine_errors(path, is_ours=True):
            return json.loads(read_regular(path).decode())
    except RecursionError as error:
        raise ArtifactError(f"{path} cannot be read as JSON (it is nested too deep)") from error
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read as JSON ({error})") from error


@contextlib.contextmanager
def new_directory(target: Path, final: Callable[[], Path] | None = None) -> Iterator[Path]:
    """Yield a scratch directory that becomes `target` when the block ends well, and vanishes when it does not.

    If another process made `target` meanwhile, that one is kept: both were built from the same inputs.

    Args:
        target: where it goes.
        final: where it goes instead, beside `target`, if that is only known when the block has ended.
    """
    with disk_full_is_clear(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_directory(target) as scratch:
            yield scratch
            _open_to_readers(scratch)
            _took_place(scratch, final() if final else target)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path, of nothing yet, for a directory that takes the place of `target` when the block ends well.

    Until then, and if the block fails or the process is killed, `target` stays as it is.
    """
    target = target.resolve()  # of a link, the directory is replaced
    with disk_full_is_clear(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_directory(target) as scratch:
            fresh, old = scratch / "fresh", scratch / "old"
            yield fresh
            while not _took_place(fresh, target):
                shutil.rmtree(old, ignore_errors=True)
                with contextlib.suppress(FileNotFoundError):  # another process has put it aside
                    os.rename(target, old)


def _took_place(fresh: Path, target: Path) -> bool:
    """Give a directory its name, unless there is something in it that has it."""
    try:
        os.rename(fresh, target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        return False
    return True


def _open_to_readers(directory: Path) -> None:
    """Give files the mode that the user's umask gives new ones: some libraries write theirs for the owner only."""
    mode = directory.stat().st_mode & 0o666
    for path in directory.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def pointer_reason(start: bytes) -> str:
    """Why the first bytes of a file are not those of the file that is meant, to follow its name; empty if they are."""
    return next((reason for mark, reason in _POINTERS.items() if start.startswith(mark)), "")


@contextlib.contextmanager
def disk_full_is_clear(path: Path) -> Iterator[None]:
    """Turn "no space left" into the error that says which disk, what it lacks and what to do."""
    try:
        yield
    except OSError as error:
        if not is_full_disk(error):
            raise
        lack = (
            "no inodes left (its disk has room, but for no more files)" if is_out_of_inodes(path) else "no space left"
        )
        raise ResourceError(f"{lack} while writing {path}; free some, or choose another --home") from error
