"""Where a pool is; what is wrong with that is said before torch is imported."""

from pathlib import Path

from graft.core.errors import SpecError
from graft.core.uris import advice_for_missing, is_there
from graft.data.tables.labelled import SUFFIXES
from graft.spec.job import Job
from graft.spec.load import JOB_SUFFIXES, load_job_here


def job_of_pool(path: Path) -> Job | None:
    """The job whose samples are the pool; None if the path is that of the pool itself: a folder or a table.

    Raises:
        SpecError: there is no such path, it is of another kind, or the job is wrong.
    """
    if not is_there(path):
        told = f"{path} does not exist; name a folder of samples, a table or a job file"
        raise SpecError(f"{told} ({advice_for_missing(path)})")
    if path.suffix.lower() in JOB_SUFFIXES:
        return load_job_here(path)
    if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
        raise SpecError(f"{path} is neither a folder, a table ({', '.join(SUFFIXES)}) nor a job file (.yaml); name one")
    return None
