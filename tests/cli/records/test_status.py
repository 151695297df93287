import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graft.core.errors import ResourceError
from graft.core.process_identity import ProcessIdentity
from graft.journal import events
from graft.journal.events import ExperimentStatus
from graft.journal.journal import Journal, read
from graft.journal.locking import exclusive
from graft.tracking.relay_files import RelayFiles, RelayState, RelayStatus

KEYS = {
    "experiment", "kind", "state", "stage", "phase", "trials", "best", "elapsed_s", "spent_s", "eta", "budget", "nodes",
    "writer", "tracking", "relay", "disk", "last_record", "goes_on_by",
}  # fmt: skip


@pytest.fixture
def recent(story):
    """The story, as if its last record were of now."""
    shift = time.time() - story[-1].time
    return [type(event)(**{**vars(event), "time": event.time + shift}) for event in story]


def end(status, time=140.0):
    return events.ExperimentFinished(status, 30.0, time=time)


def test_a_running_experiment(graft, make_experiment, recent):
    experiment = make_experiment(recent)
    with Journal(experiment.journal_file):
        done = graft("status", "digits", "--json")
    status = done.json
    assert (done.exit_code, done.err, status.keys()) == (0, "", KEYS)
    assert (status["experiment"], status["state"], status["stage"]) == (experiment.name, "running", "search")
    assert status["trials"]["running"] == 1
    assert status["trials"]["total"] == 4
    assert (status["best"]["trial"], status["best"]["metric"], status["best"]["score"]) == ("t01", "accuracy", 0.9)
    assert status["best"]["strategy"]["freeze"] == 0.5
    assert status["eta"]["seconds"] > 0
    assert status["eta"]["band"] >= 0
    assert status["writer"]["is_alive"]
    assert status["nodes"] is None, "this machine neither grows nor shrinks"
    assert status["writer"]["token"] == 2
    assert status["elapsed_s"] == pytest.approx(status["spent_s"], abs=1) == pytest.approx(22, abs=3)


WRITES = """
import sys, time
from pathlib import Path
from graft.journal.journal import Journal
with Journal(Path(sys.argv[1])):
    print("written", flush=True)
    time.sleep(3600)
"""


@pytest.fixture
def writing_process() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts a driver that holds a journal."""
    started = []

    def start(journal: Path) -> subprocess.Popen[str]:
        child = subprocess.Popen([sys.executable, "-c", WRITES, str(journal)], stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def test_a_driver_that_was_stopped_is_told_with_what_lets_it_go_on(graft, make_experiment, recent, writing_process):
    experiment = make_experiment(recent)
    pid = writing_process(experiment.journal_file).pid
    assert graft("status", "--json").json["writer"]["is_stopped"] is False
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    assert graft("status", "--json").json["writer"]["is_stopped"] is True
    assert f"it is stopped (Ctrl-Z, SIGSTOP): `kill -CONT {pid}` lets it go on" in graft("status").out
    with pytest.raises(ResourceError, match=f"pid {pid} on .*, which is stopped: `kill -CONT {pid}` lets it go on"):
        Journal(experiment.journal_file)


def test_nodes_of_a_cluster_that_grows_are_told_with_their_cost(graft, make_experiment, story):
    make_experiment([*story, events.NodesCounted({"gpu": 2}, {"gpu": 90.0}, 0.5, 6.0)])
    found = graft("status", "--json").json["nodes"]
    assert found == {"now": {"gpu": 2}, "node_seconds": {"gpu": 90.0}, "cost": 0.5, "an_hour": 6.0}


def test_a_killed_one_has_left_no_end(graft, make_experiment, story):
    experiment = make_experiment(story)
    status = graft("status", "--json").json
    assert (status["state"], status["eta"]) == ("killed", None)
    assert (status["trials"]["running"], status["trials"]["interrupted"]) == (0, 1)
    assert not status["writer"]["is_alive"]
    assert status["elapsed_s"] == status["spent_s"] == 22.0, "a dead experiment spends nothing"
    assert graft("status").out.splitlines()[-1] == f"next:       graft resume {experiment.name}"


@pytest.mark.parametrize("status", list(ExperimentStatus))
def test_an_ended_one_says_how(graft, make_experiment, story, status):
    make_experiment([*story, end(status)])
    assert graft("status", "--json").json["state"] == str(status)


def test_an_ended_one_whose_driver_waits_for_tracking_has_ended(graft, make_experiment, story):
    experiment = make_experiment([*story, end(ExperimentStatus.COMPLETED)])
    with Journal(experiment.journal_file):
        assert graft("status", "--json").json["state"] == "completed"


def test_time_between_two_runs_is_not_spent(graft, make_experiment, story):
    again = events.ExperimentStarted("digits-1", "digits-1", {"name": "digits"}, time=1000.0)
    last = events.StageStarted("search", time=1010.0)
    make_experiment([*story, end(ExperimentStatus.INTERRUPTED), again, last])
    status = graft("status", "--json").json
    assert (status["elapsed_s"], status["spent_s"]) == (910.0, 40.0)


def test_the_phase_is_told(graft, make_experiment, population):
    make_experiment(population)
    assert graft("status", "--json").json["phase"] == {"number": 2, "scheduler": "pbt"}
    assert "search, phase 2 (pbt)" in graft("status").out


def test_an_experiment_that_has_not_begun(graft, make_experiment):
    make_experiment([])
    done = graft("status", "--json")
    assert done.exit_code == 0
    status = done.json
    assert (status["state"], status["stage"], status["best"], status["elapsed_s"]) == ("killed", None, None, 0.0)
    assert "not begun" in graft("status").out


def test_the_lag_of_the_tracking_is_what_it_has_not_sent(graft, make_experiment, recent):
    experiment = make_experiment(recent)
    files = RelayFiles(experiment.directory)
    assert graft("status", "--json").json["tracking"]["state"] == "none"
    offsets = [offset for offset, _ in read(experiment.journal_file)]
    files.write_status(RelayStatus(RelayState.UNSYNCED, "the store is down", offsets[-4], 2))
    tracking = graft("status", "--json").json["tracking"]
    assert tracking.pop("lag_s") == pytest.approx(time.time() - recent[-3].time, abs=3)
    assert tracking == {"state": "unsynced", "message": "the store is down", "pending": 3, "refused": 2}
    assert "unsynced, 3 records behind" in graft("status").out


def test_a_relay_that_was_killed_or_stopped_or_hangs_is_not_said_to_follow(graft, make_experiment, story, monkeypatch):
    files = RelayFiles(make_experiment(story).directory)
    files.write_status(RelayStatus(RelayState.FOLLOWING))
    assert graft("status", "--json").json["tracking"]["state"] == "killed"
    with exclusive(files.lock):
        assert graft("status", "--json").json["tracking"]["state"] == "following"
        files.show_turn()
        assert graft("status", "--json").json["tracking"]["state"] == "following"
        os.utime(files.turn, (time.time() - 301, time.time() - 301))
        assert graft("status", "--json").json["relay"]["state"] == "hung"
        assert "tracking    hung, " in graft("status").out
        monkeypatch.setattr(ProcessIdentity, "is_stopped", True)
        assert graft("status", "--json").json["relay"]["state"] == "stopped"


def test_the_relay_is_told_with_its_restarts(graft, make_experiment, story):
    dead = "the relay was killed by signal 9"
    ends = [events.RelayEnded(dead, 0, is_restarted=True), events.RelayEnded(dead, 1, is_restarted=False)]
    files = RelayFiles(make_experiment([*story, *ends]).directory)
    assert graft("status", "--json").json["relay"] == {"state": "none", "behind": len(story) + 2, "restarts": 1}
    files.write_status(RelayStatus(RelayState.DONE, "", offset=10**9))
    assert graft("status", "--json").json["relay"] == {"state": "done", "behind": 0, "restarts": 1}
    assert "done, started again 1 time\n" in graft("status").out


def test_disk_use_is_counted_in_bytes(graft, make_experiment, story):
    experiment = make_experiment(story)
    (experiment.checkpoints / "t00").mkdir(parents=True)
    (experiment.checkpoints / "t00" / "best.safetensors").write_bytes(b"x" * 5000)
    experiment.bundle.mkdir()
    (experiment.bundle / "weights.safetensors").write_bytes(b"x" * 300)
    disk = graft("status", "--json").json["disk"]
    assert (disk["checkpoints"], disk["bundle"]) == (5000, 300)
    assert disk["journal"] == experiment.journal_file.stat().st_size
    assert disk["total"] >= 5300 + disk["journal"]


def test_people_get_lines(graft, make_experiment, story):
    make_experiment(story, search={"budget": {"trials": 6, "minutes": 9}})
    lines = graft("status").out.splitlines()
    assert [line.split()[0] for line in lines[:10]] == [
        "experiment", "state", "stage", "trials", "best", "time", "budget", "writer", "tracking", "disk",
    ]  # fmt: skip
    assert "4: 1 completed, 1 stopped, 1 failed, 1 interrupted, 1 duplicates" in lines[3]
    assert "t01, accuracy 0.900" in lines[4]
    assert "trials 6, minutes 9" in lines[6]


def test_neither_ray_nor_torch_nor_mlflow_is_loaded(repository, make_experiment, story, home):
    import subprocess
    import sys

    make_experiment(story)
    code = (
        "import sys\nfrom graft.cli.main import main\nsys.argv = ['graft', 'status', '--json']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print([name for name in ('ray', 'torch', 'mlflow', 'pandas') if name in sys.modules], file=sys.stderr)"
    )
    environment = {"PYTHONPATH": str(repository / "platform"), "GRAFT_HOME": str(home), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_on_a_cluster_it_is_asked_there(graft, monkeypatch, make_experiment, story):
    status = graft("status", make_experiment(story).name, "--json").json
    there = {**status, "job": {"job_id": "graft-a", "status": "STOPPED", "message": "stopped by ada"}}
    asked = []
    monkeypatch.setattr("graft.submit.connection.Cluster", lambda address: address)
    monkeypatch.setattr("graft.submit.asking.status_on", lambda cluster, name: asked.append((cluster, name)) or there)
    done = graft("status", "a", "--address", "http://head:8265")
    assert asked == [("http://head:8265", "a")]
    assert "job         graft-a is STOPPED: stopped by ada" in done.out
    assert f"graft jobs resume {status['experiment']}" in done.out
    assert graft("status", "a", "--address", "http://head:8265", "--json").json == there
