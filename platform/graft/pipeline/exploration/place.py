"""Where a pool is; what is wrong with that is said before torch is imported."""

from pathlib import Path

from graft.core.errors import SpecError
from graft.core.uris import advice_for_missing, is_there
from graft.data.tables.labelled import SUFFIXES
from graft.spec.job import Job
from graft.spec.load import JOB_SUFFIXES, load_job_here


def job_of_pool(path: Path, overrides: tuple[str, ...] = ()) -> Job | None:
    """The job whose samples are the pool; None if the path is that of the pool itself: a folder or a table.

    Args:
        path: of a folder, a table or a job file.
        overrides: as `--set` takes them.

    Raises:
        SpecError: there is no such path, it is of another kind, the job is wrong, or an override is no job's.
    """
    if not is_there(path):
        told = f"{path} does not exist; name a folder of samples, a table or a job file"
        raise SpecError(f"{told} ({advice_for_missing(path)})")
    if path.suffix.lower() in JOB_SUFFIXES:
        return load_job_here(path, overrides)
    if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
        raise SpecError(f"{path} is neither a folder, a table ({', '.join(SUFFIXES)}) nor a job file (.yaml); name one")
    _require_of_strategy(overrides)
    return None


def pool_name(path: Path, job: Job | None) -> str:
    """What a pool, and so its exploration, is called."""
    if job is not None:
        return job.name
    return path.absolute().name if path.is_dir() else path.stem


def _require_of_strategy(overrides: tuple[str, ...]) -> None:
    """A folder or a table says where the samples are, so all that is left to say is how they are seen."""
    for key in (text.partition("=")[0].strip() for text in overrides):
        if key == "strategy.backbone":
            raise SpecError("--set strategy.backbone is given, but the backbone of a folder or table is --backbone")
        if not key.startswith("strategy."):
            told = f"--set {key} is given, but of a folder or table only keys of `strategy` can be set"
            raise SpecError(f"{told}; write a job file (`graft init`), or leave it out")
