"""How an experiment on a cluster stands, asked of the cluster itself: only its nodes see its home."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Protocol

from graft.core.errors import ResourceError, SpecError
from graft.submit.jobs import JobsApi, Submitted, find_job, request_about
from graft.submit.submission import Submission

# Jobs of graft's begin otherwise, so that nobody takes a question for one.
PREFIX = "asked-of-graft-"
LOOK_S, PATIENCE_S = 0.5, 300.0


class Answering(JobsApi, Protocol):
    """What is needed of a cluster; `graft.submit.connection.Cluster` is one."""

    def logs(self, job: str) -> str: ...

    def stop(self, job: str) -> bool: ...

    def delete(self, job: str) -> None: ...


def status_on(cluster: Answering, name: str, wait: Callable[[float], object] = time.sleep) -> dict[str, Any]:
    """What ``graft status --json`` prints where the experiment is, and its `job`: `job_id`, `status`, `message`.

    The question is a job of its own, beside the one that it asks about; it is forgotten when it has answered.

    Args:
        cluster: where it was submitted to.
        name: of a job, as for `graft jobs`.
        wait: for the seconds given.

    Raises:
        SpecError: there is no such job, or its experiment has not begun.
        ResourceError: the cluster does not answer.
    """
    found = find_job(cluster, name)
    if found.status == "PENDING":
        raise SpecError(
            f"{found.job_id} is PENDING, so its experiment has not begun ({found.message}); ask again later"
        )
    told = _ask(cluster, found, wait)
    return {**told, "job": {"job_id": found.job_id, "status": found.status, "message": found.message}}


def _ask(cluster: Answering, about: Submitted, wait: Callable[[float], object]) -> dict[str, Any]:
    request = request_about(cluster, about, Submission(), "status", "--json")
    asked = cluster.submit(submission_id=f"{PREFIX}{secrets.token_hex(6)}", **request)
    try:
        _await(cluster, asked, wait)
        state, printed = _state(cluster, asked), cluster.logs(asked)
    except BaseException:
        cluster.stop(asked)
        raise
    cluster.delete(asked)
    answer = _last_object(printed)
    if state == "SUCCEEDED" and answer is not None:
        return answer
    why = answer["error"] if answer and "error" in answer else (printed.strip().splitlines() or [state])[-1]
    raise ResourceError(f"the cluster at {cluster.address} cannot say how {about.experiment} stands: {why}")


def _await(cluster: Answering, asked: str, wait: Callable[[float], object]) -> None:
    waited = 0.0
    while (state := _state(cluster, asked)) in ("PENDING", "RUNNING"):
        if waited >= PATIENCE_S:
            raise ResourceError(
                f"the cluster at {cluster.address} has not answered for {PATIENCE_S:.0f} s (the question is {state}); "
                "`ray list nodes` says whether it has room"
            )
        wait(LOOK_S)
        waited += LOOK_S


def _state(cluster: Answering, asked: str) -> str:
    details = next(one for one in cluster.jobs() if one.submission_id == asked)
    return str(getattr(details.status, "value", details.status))


def _last_object(printed: str) -> dict[str, Any] | None:
    """The last line that is a JSON object; workers and libraries may have printed others."""
    for line in reversed(printed.splitlines()):
        if line.startswith("{"):
            try:
                return dict(json.loads(line))
            except ValueError:
                continue
    return None
