"""What travels to the cluster with a job: its file, small data, and graft itself where it runs from a checkout."""

import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

import graft
from graft.core.errors import Problem, SpecError
from graft.core.storage import write_text
from graft.spec.job import Job

JOB_FILE, DATA_FOLDER = "job.yaml", "data"
# The Jobs API takes 100 MiB (Ray 2.60); the rest is for the package.
MOST_DATA_BYTES = 64 << 20


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
    travels = isinstance(source, Path) and not data_on_cluster
    listing: list[tuple[str, int]] = []
    if travels:
        assert isinstance(source, Path)
        listing = sorted(_files(source))
        _require_small(source, sum(size for _, size in listing))
        _copy(source, folder / DATA_FOLDER / source.name)
        plain["data"]["path"] = f"{DATA_FOLDER}/{source.name}"
    text = yaml.safe_dump(plain, sort_keys=False)
    write_text(folder / JOB_FILE, text)
    digest = hashlib.sha256(json.dumps([text, listing]).encode()).hexdigest()[:16]
    return Package(folder, source.name if travels and isinstance(source, Path) else "", digest)


def code_to_ship() -> Path | None:
    """The folder of this package, where it runs from a checkout; None where it is installed, as on the cluster."""
    folder = Path(graft.__file__).parent
    try:
        installed = importlib.metadata.distribution("graft")
    except importlib.metadata.PackageNotFoundError:
        return folder
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    return folder if origin.get("dir_info", {}).get("editable") else None


def _files(source: Path) -> Iterator[tuple[str, int]]:
    if source.is_file():
        yield source.name, source.stat().st_size
        return
    if not source.exists():
        told = f"is {source}, which is not on this machine"
        fix = "correct it, or say --data-on-cluster if the cluster's nodes have it there"
        raise SpecError([Problem("data.path", f"{told}; {fix}")])
    for folder, _, names in os.walk(source, followlinks=True):
        for name in names:
            file = Path(folder) / name
            if file.is_file():
                yield str(file.relative_to(source)), file.stat().st_size


def _require_small(source: Path, size: int) -> None:
    if size > MOST_DATA_BYTES:
        told = f"is {source} with {size / 1e6:,.0f} MB, but at most {MOST_DATA_BYTES / 1e6:.0f} MB travel with a job"
        fix = "put it into a store (s3://, gs://, abfs://) or on shared storage, and name that (--data-on-cluster)"
        raise SpecError([Problem("data.path", f"{told}; {fix}")])


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    if source.is_file():
        shutil.copy2(source, target)
    else:
        shutil.copytree(source, target)
