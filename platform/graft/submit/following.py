"""Following an experiment to its end, through all the drivers that it takes."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from graft.core.errors import ResourceError
from graft.submit.jobs import JobList, Submitted, find_job, jobs_of

Tell = Callable[[str], None]

# Ray needs a minute and more to notice that a node is gone; then the actor that submits again has to start elsewhere.
ENDED_WITHIN_S, AGAIN_WITHIN_S, LOOK_S = 120.0, 300.0, 2.0


class Followed(JobList, Protocol):
    """What is needed of a cluster; `graft.submit.connection.Cluster` is one."""

    def follow(self, job: str, tell: Callable[[str], None]) -> Iterator[str]: ...


def follow(cluster: Followed, job: Submitted, show: Tell, tell: Tell) -> Submitted:
    """Show what a job prints until it ends; one whose driver died with its node goes on as another job.

    Args:
        cluster: where it runs.
        job: to begin with.
        show: hears every line of its drivers.
        tell: hears what happens beside that.

    Returns:
        The job that was the last one.

    Raises:
        ResourceError: the cluster does not answer any more.
    """
    while True:
        ended = _to_its_end(cluster, job, show, tell)
        following = _next_of(cluster, ended, tell) if ended.is_node_lost else None
        if following is None:
            return ended
        tell(f"{ended.job_id}: its node is gone; {ended.experiment} goes on as {following.job_id}")
        job = following


def _to_its_end(cluster: Followed, job: Submitted, show: Tell, tell: Tell) -> Submitted:
    """Show what a job prints; its log lies on the driver's node, and breaks off with that before Ray knows of it."""
    shown = 0
    while True:
        try:
            for number, line in enumerate(cluster.follow(job.job_id, tell)):
                if number >= shown:
                    shown = number + 1
                    show(line)
        except ResourceError:
            if not _has_ended(cluster, job):
                raise
        if _has_ended(cluster, job):
            return find_job(cluster, job.job_id)


def _has_ended(cluster: Followed, job: Submitted) -> bool:
    """Whether it ends soon."""
    until = time.monotonic() + ENDED_WITHIN_S
    while not find_job(cluster, job.job_id).is_over:
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK_S)
    return True


def _next_of(cluster: Followed, job: Submitted, tell: Tell) -> Submitted | None:
    """The job that goes on with its experiment; None if none comes."""
    tell(f"{job.job_id}: its driver died with its node; waiting for another one")
    until = time.monotonic() + AGAIN_WITHIN_S
    while time.monotonic() < until:
        same = [one for one in jobs_of(cluster) if one.experiment == job.experiment]
        if same and same[-1].job_id != job.job_id:
            return same[-1]
        time.sleep(LOOK_S)
    return None
