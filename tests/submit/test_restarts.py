"""A driver that died with its node is submitted again; any other end is an end."""

import pytest
from tests.submit.test_jobs import Details, Notebook

from graft.submit.jobs import find_job
from graft.submit.restarts import MAX_RESTARTS, Next, look

LOST = "JOB_SUPERVISOR_ACTOR_DIED"


def job(number: int, status: str, error_type: str | None = None) -> Details:
    metadata = {"experiment": "mine", "user": "ada", "home": "/shared", "job": "digits", "digest": "01"}
    environment = {"env_vars": {"PYTHONUNBUFFERED": "1", "MY": "x"}}
    name = f"graft-mine-r{number}" if number else "graft-mine"
    return Details(name, metadata, status, start_time=number, error_type=error_type, runtime_env=environment)


@pytest.mark.parametrize(
    ("status", "error_type", "step"),
    [
        ("PENDING", None, Next.WAIT),
        ("RUNNING", None, Next.WAIT),
        ("SUCCEEDED", None, Next.END),
        ("STOPPED", None, Next.END),
        ("FAILED", "JOB_ENTRYPOINT_COMMAND_ERROR", Next.END),
        ("FAILED", LOST, Next.WAIT),
    ],
)
def test_only_a_driver_that_died_with_its_node_is_submitted_again(
    status: str, error_type: str | None, step: Next
) -> None:
    cluster = Notebook(found=[job(0, status, error_type), Details("graft-other", {"experiment": "other"})])
    assert look(cluster, "mine") is step
    assert len(cluster.requests) == (error_type == LOST)


def test_the_next_driver_has_what_the_first_one_had() -> None:
    cluster = Notebook(found=[job(0, "FAILED", LOST)])
    look(cluster, "mine")
    (request,) = cluster.requests
    assert request["submission_id"] == "graft-mine-r1"
    assert request["runtime_env"]["env_vars"] == {"PYTHONUNBUFFERED": "1", "MY": "x"}
    assert request["entrypoint"].endswith("- /shared resume mine")
    assert {name: request["metadata"][name] for name in ("user", "home", "job", "digest")} == {
        "user": "ada", "home": "/shared", "job": "digits", "digest": "01",
    }  # fmt: skip
    assert not find_job(cluster, "mine").is_over


def test_a_driver_that_loses_node_after_node_is_given_up() -> None:
    lost = [job(number, "FAILED", LOST) for number in range(MAX_RESTARTS + 1)]
    assert look(Notebook(found=lost[:-1]), "mine") is Next.WAIT
    assert look(Notebook(found=lost), "mine") is Next.END


def test_a_job_that_was_forgotten_needs_nobody() -> None:
    assert look(Notebook(), "mine") is Next.END
