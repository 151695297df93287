"""A head that keeps what it knows in a Redis server, on a cluster whose nodes have networks of their own."""

import shutil
from pathlib import Path

import pytest
from tests.fixtures.clusters import wait_until, write_photos
from tests.integration.machines.cluster import HEAD, cluster
from tests.integration.machines.followed import JOB, Followed

from graft.journal import events

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_a_head_that_keeps_what_it_knows_elsewhere_knows_its_jobs_again(tmp_path: Path) -> None:
    job_file = write_photos(tmp_path, JOB, count=100, size=64)
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("there is no redis-server (Debian: apt-get install redis-server)")
    name = "kept"
    with cluster(redis) as machines:
        machines.json("submit", str(job_file), "--experiment", name, "--home", str(machines.home))
        run = Followed(machines, name)
        run.wait_for_two_epochs()
        machines.kill(HEAD)
        machines.start()
        (job,) = machines.json("jobs", "ls")
        assert job["experiment"] == name
        wait_until(lambda: machines.json("jobs", "status", name)["is_over"], "its driver has ended")
        if not (run.directory / "result.json").exists():
            assert f"`graft resume {name}` goes on" in run.records(events.ExperimentFinished)[-1].detail
            machines.json("jobs", "resume", name)
        followed = machines.graft("jobs", "logs", "-f", name)
        assert followed.returncode == 0, followed.stdout + followed.stderr
        run.assert_nothing_is_lost_or_counted_twice(4)
