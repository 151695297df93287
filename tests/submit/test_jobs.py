"""Submitting, finding and resuming, against a cluster that only takes notes."""

import shlex
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.submit import jobs
from graft.submit.jobs import find_job, jobs_of, resume, submit
from graft.submit.submission import Submission


@dataclass
class Details:
    """As Ray's `JobDetails`."""

    submission_id: str
    metadata: dict[str, str]
    status: str = "RUNNING"
    message: str = ""
    driver_exit_code: int | None = None
    start_time: int | None = 1_000
    error_type: str | None = None
    runtime_env: dict[str, Any] = field(default_factory=dict)


@dataclass
class Notebook:
    """A cluster's Jobs API."""

    address: str = "http://127.0.0.1:8265"
    found: list[Details] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    total: dict[str, float] = field(default_factory=dict)

    def submit(self, **request: Any) -> str:
        self.requests.append(request)
        self.found.append(Details(request["submission_id"], request["metadata"], start_time=len(self.found) + 1))
        return str(request["submission_id"])

    def jobs(self) -> list[Any]:
        return list(self.found)

    def resources(self) -> dict[str, float]:
        return self.total

    def end(self, status: str = "FAILED") -> None:
        self.found = [replace(one, status=status) for one in self.found]


@pytest.fixture
def cluster() -> Notebook:
    return Notebook()


@pytest.fixture
def job() -> Job:
    return parse_job({"name": "mine", "data": "digits"})


def test_a_job_is_sent_under_the_name_of_its_experiment(cluster: Notebook, job: Job) -> None:
    sent = submit(cluster, job, Submission("trial-1", home="/shared/graft"))
    assert (sent.job_id, sent.experiment, sent.status) == ("graft-trial-1", "trial-1", "RUNNING")
    (request,) = cluster.requests
    assert request["entrypoint"].endswith(" - - /shared/graft run trial-1")
    assert request["entrypoint_num_cpus"] == 0
    assert request["metadata"].keys() >= {"experiment", "user", "graft", "job", "digest", "home"}
    assert request["runtime_env"]["env_vars"] == {"PYTHONUNBUFFERED": "1"}


def test_without_a_name_it_has_one_of_its_own(cluster: Notebook, job: Job) -> None:
    first, second = submit(cluster, job, Submission()), submit(cluster, job, Submission())
    assert first.experiment.startswith("mine-")
    assert first.experiment != second.experiment


def test_the_same_experiment_is_sent_once(cluster: Notebook, job: Job) -> None:
    first = submit(cluster, job, Submission("a"))
    cluster.end("SUCCEEDED")
    again = submit(cluster, job, Submission("a"))
    assert (again.job_id, again.status) == (first.job_id, "SUCCEEDED")
    assert len(cluster.requests) == 1


def test_another_job_of_the_same_name_is_refused(cluster: Notebook, job: Job) -> None:
    submit(cluster, job, Submission("a"))
    other = parse_job({"name": "mine", "data": "digits", "training": {"epochs": 3}})
    with pytest.raises(SpecError, match="experiment `a` is there already, and is that of another job"):
        submit(cluster, other, Submission("a"))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-x", "x" * 200])
def test_a_name_that_cannot_be_a_directory_is_refused(cluster: Notebook, job: Job, name: str) -> None:
    if name == "":
        assert submit(cluster, job, Submission(name)).experiment.startswith("mine-")
        return
    with pytest.raises(SpecError, match="must be at most 100 letters"):
        submit(cluster, job, Submission(name))


def test_the_driver_is_placed_on_a_safe_node_where_there_is_one(cluster: Notebook, job: Job) -> None:
    submit(cluster, job, Submission("a"))
    cluster.total = {"CPU": 8.0, "safe": 16.0}
    submit(cluster, job, Submission("b"))
    first, second = cluster.requests
    assert "entrypoint_resources" not in first
    assert second["entrypoint_resources"] == {"safe": 0.01}


def test_secrets_do_not_travel(cluster: Notebook, job: Job) -> None:
    environment = {
        "AWS_SECRET_ACCESS_KEY": "x",
        "HF_HUB_OFFLINE": "1",
        "MLFLOW_TRACKING_PASSWORD": "y",
        "DATABASE": "postgresql://ada:geheim@db/x",
    }
    with pytest.raises(SpecError) as caught:
        submit(cluster, job, Submission("a", environment=environment))
    assert [str(one).split()[0] for one in caught.value.problems] == [
        "AWS_SECRET_ACCESS_KEY",
        "MLFLOW_TRACKING_PASSWORD",
        "DATABASE",
    ]
    assert "geheim" not in str(caught.value)
    assert cluster.requests == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"home": "graft"}, "home is `graft`, but must be a path from the root"),
        ({"home": ""}, "home is ``, but must be a path from the root"),
        ({"home": "/shared/a\nb"}, "must be a path from the root"),
        ({"home": "az://box/graft"}, "home is az://box/graft, but homes are kept in"),
        ({"environment": {"A B": "1"}}, "--env has the name `A B`, but must have letters"),
        ({"environment": {"1A": "1"}}, "--env has the name `1A`, but must have letters"),
    ],
)
def test_what_cannot_be_sent_is_refused_before(cluster: Notebook, job: Job, given: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        submit(cluster, job, Submission("a", **given))
    assert told in str(caught.value)
    assert cluster.requests == []


def test_a_home_is_one_word_of_the_command(cluster: Notebook, job: Job) -> None:
    submit(cluster, job, Submission("a", home="/shared/my $(whoami)"))
    assert shlex.split(cluster.requests[0]["entrypoint"])[-3:] == ["/shared/my $(whoami)", "run", "a"]


def test_an_installed_graft_is_asked_for_by_its_version(
    cluster: Notebook, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "code_to_ship", lambda: None)
    submit(cluster, job, Submission("a"))
    (request,) = cluster.requests
    assert "py_modules" not in request["runtime_env"]
    assert f" {request['metadata']['graft']} - - run a" in request["entrypoint"]


def test_a_job_that_has_ended_is_resumed_in_its_home(cluster: Notebook, job: Job) -> None:
    submit(cluster, job, Submission("a", home="/shared/graft"))
    with pytest.raises(SpecError, match="is RUNNING, but must have ended"):
        resume(cluster, "a", Submission())
    cluster.end("STOPPED")
    sent = resume(cluster, "mine", Submission())
    assert (sent.job_id, sent.experiment) == ("graft-a-r1", "a")
    assert cluster.requests[-1]["entrypoint"].endswith(" - - /shared/graft resume a")
    assert "working_dir" not in cluster.requests[-1]["runtime_env"]
    cluster.end()
    assert resume(cluster, "a", Submission()).job_id == "graft-a-r2"


def test_a_job_is_found_by_any_of_its_names(cluster: Notebook, job: Job) -> None:
    submit(cluster, job, Submission("a"))
    submit(cluster, job, Submission("b"))
    cluster.found.append(Details("raysubmit_x", {}))
    assert [one.experiment for one in jobs_of(cluster)] == ["a", "b"]
    assert {name: find_job(cluster, name).job_id for name in ("latest", "mine", "a", "graft-b")} == {
        "latest": "graft-b", "mine": "graft-b", "a": "graft-a", "graft-b": "graft-b",
    }  # fmt: skip
    with pytest.raises(SpecError, match="job is `c`, but must be one of a, b, latest"):
        find_job(cluster, "c")


def test_a_cluster_without_jobs_says_so(cluster: Notebook) -> None:
    with pytest.raises(SpecError, match="has none of graft's yet"):
        find_job(cluster, "latest")
