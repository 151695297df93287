import json
from types import SimpleNamespace

import pytest

from graft.submit import connection

JOB = "name: mine\ndata: digits\n"


class Cluster:
    """Takes what is submitted, and says that it has ended."""

    status, exit_code = "SUCCEEDED", 0

    def __init__(self, address):
        self.address = address
        self.found = []

    def submit(self, **request):
        details = {"message": "", "driver_exit_code": self.exit_code, "start_time": 1000, "status": self.status}
        self.found.append(SimpleNamespace(**request, **details))
        return request["submission_id"]

    def jobs(self):
        return self.found

    def resources(self):
        return {}

    def stop(self, job):
        return True

    def logs(self, job):
        return "all\n"

    def follow(self, job, tell):
        yield "one"
        yield "two"


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    one = Cluster("http://head:8265")
    monkeypatch.setattr(connection, "Cluster", lambda address: one)
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(JOB)
    return one


def test_a_job_is_sent_and_what_comes_next_is_said(graft, cluster):
    told = graft("submit", "job.yaml", "--experiment", "a", "--set", "training.epochs=3")
    assert told.exit_code == 0
    assert "graft-a: a is SUCCEEDED at http://head:8265" in told.err
    assert "graft jobs logs -f a" in told.out


def test_json_says_where_it_is(graft, cluster):
    assert graft("submit", "job.yaml", "--experiment", "a", "--json").json == {
        "job_id": "graft-a", "experiment": "a", "address": "http://head:8265",
    }  # fmt: skip


@pytest.mark.parametrize(("status", "code", "ends"), [("SUCCEEDED", 0, 0), ("FAILED", 2, 2), ("STOPPED", None, 1)])
def test_waiting_ends_as_the_job_does(graft, cluster, status, code, ends):
    cluster.status, cluster.exit_code = status, code
    told = graft("submit", "job.yaml", "--experiment", "a", "--wait")
    assert (told.exit_code, told.out) == (ends, "one\ntwo\n")
    assert ("graft jobs resume a" in told.err) == (status != "SUCCEEDED")


def test_waiting_for_json_leaves_standard_output_to_it(graft, cluster):
    told = graft("submit", "job.yaml", "--experiment", "a", "--wait", "--json")
    assert json.loads(told.out)["status"] == "SUCCEEDED"
    assert "one\ntwo\n" in told.err


def test_a_bad_job_is_refused_before_the_cluster_is_asked(graft, cluster, tmp_path):
    (tmp_path / "job.yaml").write_text("name: mine\n")
    told = graft("submit", "job.yaml")
    assert told.exit_code == 2
    assert cluster.found == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "which is not on this machine; correct it, or say --data-on-cluster"),
        (["--set", "training.epochs=0"], "training.epochs"),
        (["--data-on-cluster", "--env", "MY_PASSWORD=secret-word"], "holds a secret"),
        (["--data-on-cluster", "--experiment", "a/b"], "experiment is `a/b`"),
    ],
)
def test_what_is_wrong_here_is_told_before_a_cluster_is_connected_to(
    graft, cluster, tmp_path, monkeypatch, given, told
):
    (tmp_path / "job.yaml").write_text("name: mine\ndata: {kind: image_folder, path: gone}\n")
    monkeypatch.setattr(connection, "Cluster", lambda address: pytest.fail("was connected to"))
    done = graft("submit", "job.yaml", *given)
    assert done.exit_code == 2
    assert told in done.err
    assert ("not on this machine" in done.err) == ("--data-on-cluster" not in given), "and the data in any case"


def test_a_variable_without_a_value_is_refused(graft, cluster):
    told = graft("submit", "job.yaml", "--env", "NAME")
    assert told.exit_code == 2
    assert "--env is `NAME`, but must be NAME=VALUE" in told.err


def test_jobs_are_listed_shown_stopped_and_resumed(graft, cluster):
    assert "no job of graft's is there yet" in graft("jobs", "ls").out
    graft("submit", "job.yaml", "--experiment", "a")
    assert [one["experiment"] for one in graft("jobs", "ls", "--json").json] == ["a"]
    assert graft("jobs", "status", "mine", "--json").json["job_id"] == "graft-a"
    assert "graft-a: SUCCEEDED, exit code 0" in graft("jobs", "status").out
    assert graft("jobs", "logs", "a").out == "all\n"
    assert graft("jobs", "logs", "-f", "a").out == "one\ntwo\n"
    assert graft("jobs", "stop", "a", "--json").json == {"job_id": "graft-a", "experiment": "a", "stopped": False}
    assert graft("jobs", "resume", "a", "--json").json["job_id"] == "graft-a-r1"
