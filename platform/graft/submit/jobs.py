"""Submitting an experiment to a cluster: once, however often it is asked for; and what became of it."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from graft.core.errors import Problem, SpecError
from graft.core.process_identity import user_name
from graft.core.registry import unknown
from graft.experiments.directory import new_name
from graft.spec.job import Job
from graft.submit.entry import UNSAID, entrypoint
from graft.submit.package import Package, code_to_ship, pack
from graft.submit.submission import Submission, require_sendable

PREFIX = "graft-"
# What a submission says of the one it goes on with.
_KEPT = ("job", "digest", "user", "commit")
# On nodes that are not taken away: what the files of cluster/ give to their head.
SAFE = "safe"
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
# What Ray says of a job whose driver's node died; the second, where the head was away meanwhile.
_NODE_LOST = ("JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_START_FAILURE")


class JobList(Protocol):
    """What is needed of a cluster to find jobs; `graft.submit.connection.Cluster` is one."""

    address: str

    def jobs(self) -> list[Any]: ...


class JobsApi(JobList, Protocol):
    """What is needed to send some."""

    def submit(self, **request: Any) -> str: ...

    def resources(self) -> dict[str, float]: ...


@dataclass(frozen=True)
class Submitted:
    """A job of a cluster.

    Attributes:
        job_id: its submission id.
        experiment: what it runs.
        status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        message: what Ray says of it.
        exit_code: of the driver; None before its end.
        user: who has submitted it.
        started: seconds since 1970; None where Ray does not say.
        metadata: all that was said of it.
        environment: the variables it was submitted with.
        is_node_lost: its driver died with its node, or became unreachable with it.
    """

    job_id: str
    experiment: str
    status: str
    message: str
    exit_code: int | None
    user: str
    started: float | None
    metadata: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_node_lost: bool = False

    @property
    def is_over(self) -> bool:
        return self.status in _ENDED


def submit(cluster: JobsApi, job: Job, submission: Submission) -> Submitted:
    """Send a job, unless this experiment was sent already: then that job is returned as it stands.

    Raises:
        SpecError: the data cannot travel; a variable holds a secret; another job has this experiment's name.
        ResourceError: the cluster does not take it.
    """
    require_sendable(submission)
    experiment = submission.experiment or new_name(job)
    with tempfile.TemporaryDirectory(prefix="graft-submit-") as temporary:
        package = pack(job, Path(temporary), submission.data_on_cluster)
        earlier = [one for one in jobs_of(cluster) if one.experiment == experiment]
        if earlier:
            return _the_same(earlier, package, experiment)
        came_along = package.digest if package.data else UNSAID
        command = [_wanted_version(), came_along, submission.home or UNSAID, "run", experiment]
        request = _request(cluster, experiment, command, submission, package)
        request["metadata"] |= {"job": job.name, "digest": package.digest}
        job_id = cluster.submit(submission_id=f"{PREFIX}{experiment}", **request)
    return find_job(cluster, job_id)


def resume(cluster: JobsApi, name: str, submission: Submission) -> Submitted:
    """Send the experiment of a job that has ended again, to go on where it was.

    Raises:
        SpecError: there is no such job, or it has not ended.
    """
    earlier = find_job(cluster, name)
    same = [one for one in jobs_of(cluster) if one.experiment == earlier.experiment]
    running = next((one for one in same if not one.is_over), None)
    if running is not None:
        raise SpecError(
            f"{running.job_id} is {running.status}, but must have ended to be resumed; `graft jobs stop` it"
        )
    request = request_about(cluster, earlier, submission, "resume")
    return find_job(cluster, cluster.submit(submission_id=f"{PREFIX}{earlier.experiment}-r{len(same)}", **request))


def request_about(
    cluster: JobsApi, earlier: Submitted, submission: Submission, verb: str, *more: str
) -> dict[str, Any]:
    """What to submit for a command on the experiment of an earlier job, in the home of that.

    Args:
        cluster: where.
        earlier: the job.
        submission: how; its home, if it names one, takes the place of the earlier one's.
        verb: ``resume`` or ``status``.
        more: arguments of the command.
    """
    home = submission.home or earlier.metadata.get("home") or UNSAID
    submission = replace(submission, environment={**earlier.environment, **(submission.environment or {})})
    command = [_wanted_version(), UNSAID, home, verb, earlier.experiment, *more]
    request = _request(cluster, earlier.experiment, command, submission, None)
    kept = {name: earlier.metadata[name] for name in _KEPT if name in earlier.metadata}
    request["metadata"] |= {**kept, "home": home}
    return request


def jobs_of(cluster: JobList) -> list[Submitted]:
    """The jobs that graft has submitted, oldest first."""
    return [_read(one) for one in cluster.jobs() if str(one.submission_id).startswith(PREFIX)]


def find_job(cluster: JobList, name: str) -> Submitted:
    """The newest job of an experiment, of a job's name, or with this id; ``latest`` is the newest of all.

    Raises:
        SpecError: there is none.
    """
    found = jobs_of(cluster)
    for one in reversed(found):
        if name in ("latest", one.job_id, one.experiment, one.metadata.get("job")):
            return one
    known = ["latest", *dict.fromkeys(one.experiment for one in reversed(found))]
    if not found:
        raise SpecError(f"job is `{name}`, but the cluster at {cluster.address} has none of graft's yet; submit one")
    raise SpecError(unknown("job", name, known[:20]))


def _the_same(earlier: Sequence[Submitted], package: Package, experiment: str) -> Submitted:
    newest = earlier[-1]
    if newest.metadata.get("digest") not in ("", None, package.digest):
        raise SpecError(
            [Problem("", f"experiment `{experiment}` is there already, and is that of another job; name another one")]
        )
    return newest


def _request(
    cluster: JobsApi, experiment: str, command: Sequence[str], submission: Submission, package: Package | None
) -> dict[str, Any]:
    code = code_to_ship()
    runtime: dict[str, Any] = {"env_vars": {"PYTHONUNBUFFERED": "1", **(submission.environment or {})}}
    if package is not None:
        runtime["working_dir"] = str(package.folder)
    if code is not None:
        runtime["py_modules"] = [str(code)]
        runtime["excludes"] = ["__pycache__"]
    metadata = {
        "experiment": experiment,
        "user": user_name(),
        "graft": version("graft"),
        "commit": _commit(),
        "home": submission.home or "",
    }
    on_safe_node = {"entrypoint_resources": {SAFE: 0.01}} if cluster.resources().get(SAFE) else {}
    return {
        "entrypoint": entrypoint(command),
        "runtime_env": runtime,
        "metadata": {name: value for name, value in metadata.items() if value},
        "entrypoint_num_cpus": 0,
        **on_safe_node,
    }


def _wanted_version() -> str:
    return UNSAID if code_to_ship() is not None else version("graft")


def _commit() -> str:
    """The commit of the checkout this runs in; empty where there is none."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _read(details: Any) -> Submitted:
    metadata = dict(details.metadata or {})
    status = getattr(details.status, "value", details.status)
    return Submitted(
        details.submission_id,
        metadata.get("experiment", details.submission_id.removeprefix(PREFIX)),
        str(status),
        details.message or "",
        details.driver_exit_code,
        metadata.get("user", ""),
        details.start_time / 1000 if details.start_time else None,
        metadata,
        dict((getattr(details, "runtime_env", None) or {}).get("env_vars") or {}),
        status == "FAILED" and getattr(details, "error_type", None) in _NODE_LOST,
    )
