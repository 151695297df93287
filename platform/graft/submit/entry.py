"""The first thing that a submitted job does on the cluster: right version, data into the home, then a usual command."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from graft.core.errors import ResourceError, SpecError
from graft.core.storage import Home
from graft.core.stores.address import HomeAddress
from graft.core.stores.copy import publish_tree
from graft.submit.package import DATA_FOLDER, JOB_FILE

VARIABLE = "GRAFT_SUBMITTED"
"""Names the experiment in the environment of a driver that was submitted."""

UNSAID = "-"
"""In place of an argument that is not given."""


def entrypoint(command: Sequence[str]) -> str:
    """The command line that a shell of the cluster runs: `prepare`, then graft's own command line."""
    code = "from graft.submit.entry import prepare; prepare(); from graft.cli.main import main; main()"
    return shlex.join(["python", "-c", code, *command])


def prepare() -> None:
    """Turn the arguments of an entry point into those of the command that it means.

    They are: the version that must be here (`UNSAID`: the code came along), the digest of the data that came along, the
    home (`UNSAID`: the node's own), then ``run NAME``, ``resume NAME`` or ``status NAME``.

    Raises:
        SpecError: another version of graft is here.
        ResourceError: the home cannot be written.
    """
    _, wanted, digest, home, verb, name, *more = sys.argv
    _require_version(wanted)
    if home != UNSAID:
        os.environ["GRAFT_HOME"] = home
    place = Home.find()
    os.environ[VARIABLE] = name
    if verb != "run":
        sys.argv = ["graft", verb, name, *more]
        return
    sys.argv = ["graft", "run", JOB_FILE, "--experiment", name, *more]
    if digest != UNSAID:
        (source,) = Path(DATA_FOLDER).iterdir()
        sys.argv += ["--set", f"data.path={_kept_in(place, source, digest)}"]


def _kept_in(home: Home, source: Path, digest: str) -> str:
    """Where every node finds data that came with a job."""
    folder = home.root / "uploads" / digest
    kept = keep(source, folder)
    if not home.address:
        return str(kept)
    publish_tree(folder)
    return HomeAddress.of(home.address).at(f"uploads/{digest}/{source.name}").removeprefix("folder://")


def keep(source: Path, folder: Path) -> Path:
    """Put data that came with a job where they stay: what a job is unpacked into is deleted with it.

    Raises:
        ResourceError: the disk does not take them.
    """
    target = folder / source.name
    if target.exists():
        return target
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        if source.is_dir():
            shutil.copytree(source, partial / source.name)
        else:
            shutil.copy2(source, partial / source.name)
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if target.exists():  # another driver of the same submission was first
            return target
        raise ResourceError(
            f"{folder} cannot be written ({error.strerror}); name a home that the cluster's nodes can write with --home"
        ) from error
    return target


def _require_version(wanted: str) -> None:
    if wanted == UNSAID:
        return
    try:
        found = version("graft")
    except PackageNotFoundError:
        found = "none"
    if found != wanted:
        raise SpecError(
            f"graft {wanted} has submitted this job, but the cluster has {found}; install the same on both, or submit "
            "from a checkout, which travels along"
        )
