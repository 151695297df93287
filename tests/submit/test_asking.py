"""How an experiment on a cluster stands: a question that is a job, against a cluster that answers what it is told."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from graft.core.errors import ResourceError, SpecError
from graft.submit.asking import PATIENCE_S, PREFIX, status_on
from graft.submit.jobs import jobs_of

STATUS = {"experiment": "a", "state": "running"}


class Cluster:
    """Has one job of graft's; a question is `RUNNING` for so many looks, and then ends."""

    address = "http://head:8265"

    def __init__(self, printed: str, ends: str = "SUCCEEDED", looks: int = 2, job: str = "RUNNING") -> None:
        mine = {"experiment": "a", "job": "mine", "home": "/shared/graft"}
        self.found = [self._details("graft-a", job, mine)]
        self._printed, self._ends, self._looks = printed, ends, looks
        self.requests: list[dict[str, Any]] = []
        self.stopped: list[str] = []

    @staticmethod
    def _details(name: str, status: str, metadata: dict[str, str]) -> SimpleNamespace:
        return SimpleNamespace(
            submission_id=name, status=status, metadata=metadata, message="ok", driver_exit_code=None, start_time=1
        )

    def submit(self, **request: Any) -> str:
        self.requests.append(request)
        self.found.append(self._details(request["submission_id"], "PENDING", request["metadata"]))
        return str(request["submission_id"])

    def jobs(self) -> list[Any]:
        if len(self.found) > 1:
            self._looks -= 1
            self.found[-1].status = "RUNNING" if self._looks > 0 else self._ends
        return self.found

    def resources(self) -> dict[str, float]:
        return {"safe": 16.0}

    def logs(self, job: str) -> str:
        return self._printed

    def stop(self, job: str) -> bool:
        self.stopped.append(job)
        return True

    def delete(self, job: str) -> None:
        self.found = [one for one in self.found if one.submission_id != job]


def test_the_answer_is_what_the_command_prints_there() -> None:
    cluster = Cluster("a warning\n" + json.dumps(STATUS) + "\n{no json\n")
    waited: list[float] = []
    found = status_on(cluster, "mine", waited.append)
    assert found == {**STATUS, "job": {"job_id": "graft-a", "status": "RUNNING", "message": "ok"}}
    (request,) = cluster.requests
    assert request["submission_id"].startswith(PREFIX)
    assert request["entrypoint"].endswith(" - - /shared/graft status a --json")
    assert request["entrypoint_resources"] == {"safe": 0.01}
    assert waited, "it looks more than once"
    assert [one.job_id for one in jobs_of(cluster)] == ["graft-a"], "the question is no job, and is forgotten"
    assert cluster.stopped == []


def test_what_the_command_says_of_an_error_is_told() -> None:
    cluster = Cluster(json.dumps({"status": "failed", "error": "experiment is `a`, but must be one of b"}), "FAILED")
    with pytest.raises(ResourceError, match="cannot say how a stands: experiment is `a`, but must be one of b"):
        status_on(cluster, "a", lambda _: None)


def test_a_driver_that_dies_says_its_last_words() -> None:
    with pytest.raises(ResourceError, match="No module named graft"):
        status_on(Cluster("Traceback\nNo module named graft\n", "FAILED"), "a", lambda _: None)


def test_a_cluster_without_room_is_not_waited_for_for_ever() -> None:
    cluster, waited = Cluster("", looks=10**9), [0.0]
    with pytest.raises(ResourceError, match="has not answered for 300 s"):
        status_on(cluster, "a", lambda seconds: waited.append(waited[-1] + seconds))
    assert waited[-1] == PATIENCE_S
    assert len(cluster.stopped) == 1


def test_a_job_that_has_not_begun_has_no_status() -> None:
    with pytest.raises(SpecError, match="graft-a is PENDING"):
        status_on(Cluster("", job="PENDING"), "a", lambda _: None)
