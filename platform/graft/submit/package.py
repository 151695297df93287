"""What travels to the cluster with a job: its file, small data, and graft itself where it runs from a checkout."""

import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

import graft
from graft.core.errors import Problem, SpecError
from graft.core.storage import write_text
from graft.spec.job import Job
from graft.spec.modalities.base import DataSpec

JOB_FILE, DATA_FOLDER = "job.yaml", "data"
# The Jobs API takes 100 MiB (Ray 2.60); the rest is for the package.
MOST_DATA_BYTES = 64 << 20
# What they name would be left out by Ray; in a folder of data they are about its repository, not about the job.
_NOT_OF_DATA = (".gitignore", ".rayignore")


@dataclass(frozen=True)
class Package:
    """A folder that travels, and what it is.

    Attributes:
        folder: with the job file and, below `DATA_FOLDER`, the data.
        data: name of the data in there; empty where they stay where they are.
        digest: of the job, and of names and sizes of the data: the same for the same submission.
    """

    folder: Path
    data: str
    digest: str


def pack(job: Job, folder: Path, data_on_cluster: bool = False) -> Package:
    """Write into an empty folder what a submission takes along.

    Args:
        job: as it was read here, with its overrides.
        folder: empty.
        data_on_cluster: the data's path is one of the cluster's, and nothing is taken along.

    Raises:
        SpecError: the data are neither here nor said to be there, or too large to be taken along.
    """
    plain = job.model_dump(mode="json")
    source = getattr(job.data, "path", None)
    listing: list[tuple[str, int]] = []
    name = ""
    if isinstance(source, Path) and not data_on_cluster:
        listing, name = sorted(_small_files(source)), source.name
        _copy(source, [file for file, _ in listing], folder / DATA_FOLDER / name)
        plain["data"]["path"] = f"{DATA_FOLDER}/{name}"
    text = yaml.safe_dump(plain, sort_keys=False)
    write_text(folder / JOB_FILE, text)
    digest = hashlib.sha256(json.dumps([text, listing]).encode()).hexdigest()[:16]
    return Package(folder, name, digest)


def travel_problems(data: DataSpec) -> Iterator[Problem]:
    """Why the data that a section names cannot travel with its job, before the cluster is asked for anything."""
    source = getattr(data, "path", None)
    if isinstance(source, Path):
        try:
            _small_files(source)
        except SpecError as error:
            yield from error.problems


def code_to_ship() -> Path | None:
    """The folder of this package, where it runs from a checkout; None where it is installed, as on the cluster."""
    folder = Path(graft.__file__).parent
    try:
        installed = importlib.metadata.distribution("graft")
    except importlib.metadata.PackageNotFoundError:
        return folder
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    return folder if origin.get("dir_info", {}).get("editable") else None


def _small_files(source: Path) -> list[tuple[str, int]]:
    """What `_files` finds; no more is looked at than may travel.

    Raises:
        SpecError: it is more than that, nothing, or not here.
    """
    found, total = [], 0
    for name, size in _files(source):
        found.append((name, size))
        total += size
        if total > MOST_DATA_BYTES:
            told = f"is {source} with more than {MOST_DATA_BYTES / 1e6:.0f} MB, but no more travel with a job"
            fix = "put it into a store (s3://, gs://, abfs://) or on shared storage, and name that (--data-on-cluster)"
            raise SpecError([Problem("data.path", f"{told}; {fix}")])
    if not found:
        raise SpecError([Problem("data.path", f"is {source}, which holds no file; name the data")])
    return found


def _files(source: Path) -> Iterator[tuple[str, int]]:
    """Names below the source, and bytes; links are followed, but for those that lead back to where they are from."""
    if source.is_file():
        yield source.name, source.stat().st_size
        return
    if not source.exists():
        told = f"is {source}, which is not on this machine"
        fix = "correct it, or say --data-on-cluster if the cluster's nodes have it there"
        raise SpecError([Problem("data.path", f"{told}; {fix}")])
    for folder, below, names in os.walk(source, followlinks=True):
        here = Path(folder).resolve()
        below[:] = [one for one in below if not here.is_relative_to((here / one).resolve())]
        for name in names:
            file = Path(folder) / name
            if name not in _NOT_OF_DATA and file.is_file():
                yield str(file.relative_to(source)), file.stat().st_size


def _copy(source: Path, names: Iterable[str], target: Path) -> None:
    """Copy what was found: pipes, sockets and links to nowhere are no data, and stay."""
    for name in names:
        copy, file = (target, source) if source.is_file() else (target / name, source / name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
