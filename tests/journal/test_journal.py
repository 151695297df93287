import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from graft.core.errors import ArtifactError, ResourceError
from graft.journal.event_json import to_json
from graft.journal.events import Event, StageStarted, TrialReported, WriterOpened
from graft.journal.journal import Journal, is_being_written, read, scan
from graft.journal.lease import Lease, Terms
from graft.journal.lease_files import Machine
from graft.journal.lines import encode

HOLD = """
import sys
from pathlib import Path
from graft.journal.events import StageStarted
from graft.journal.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.append(StageStarted("ingest"))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "experiment" / "journal.jsonl"


def stages(path: Path) -> list[str]:
    return [event.stage for _, event in read(path) if isinstance(event, StageStarted)]


def test_what_is_appended_is_read(path: Path) -> None:
    with Journal(path) as journal:
        recorded = journal.append(StageStarted("ingest"))
    assert [event for _, event in read(path)] == [recorded]
    assert recorded.time > 0


def test_reading_goes_on_from_an_offset(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(StageStarted("ingest"))
        (offset, _), *_ = read(path)
        journal.append(StageStarted("search"))
    assert [event.stage for _, event in read(path, offset)] == ["search"]
    assert max(offset for offset, _ in read(path)) == path.stat().st_size


def test_a_given_time_is_kept(path: Path) -> None:
    with Journal(path) as journal:
        assert journal.append(StageStarted("ingest", time=5.0)).time == 5.0


def test_subscribers_see_a_record_that_is_already_on_the_disk(path: Path) -> None:
    seen: list[list[str]] = []
    with Journal(path) as journal:
        end = journal.subscribe(lambda event: seen.append(stages(path)))
        journal.append(StageStarted("ingest"))
        end()
        journal.append(StageStarted("search"))
    assert seen == [["ingest"]]


def test_a_torn_last_line_is_ignored_by_readers_and_cut_by_the_next_writer(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(StageStarted("ingest"))
    with path.open("ab") as stream:
        stream.write(b'{"v": 1, "kind": "Stage')
    assert stages(path) == ["ingest"]
    with Journal(path) as journal:
        journal.append(StageStarted("search"))
    assert stages(path) == ["ingest", "search"]


def test_a_torn_first_line_is_cut(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"x" * 200_000)
    with Journal(path) as journal:
        journal.append(StageStarted("ingest"))
    assert stages(path) == ["ingest"]


def test_a_damaged_record_in_the_middle_is_named(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(StageStarted("ingest"))
        size = path.stat().st_size
    with path.open("ab") as stream:
        stream.write(b"garbage\n")
    with pytest.raises(ArtifactError, match=f"byte {size}"):
        list(read(path))


def test_a_second_writer_is_refused(path: Path) -> None:
    with Journal(path), pytest.raises(ResourceError, match="being written by another process"):
        Journal(path)
    Journal(path).close()


def test_a_killed_writer_lets_go_and_leaves_its_records(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(sys.modules["graft"].__file__ or "").parents[1])},
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    assert is_being_written(path)
    with pytest.raises(ResourceError, match="another process"):
        Journal(path)
    holder.kill()
    holder.communicate()
    assert not is_being_written(path)
    assert stages(path) == ["ingest"]


def test_nobody_writes_a_journal_that_is_not_there(path: Path) -> None:
    assert not is_being_written(path)
    with pytest.raises(ArtifactError, match="is not there, so nothing was recorded"):
        list(read(path))


def test_many_threads_append_whole_lines(path: Path) -> None:
    def work(number: int) -> None:
        for epoch in range(50):
            journal.append(TrialReported(f"t{number}", epoch, {"accuracy": 0.5}, 1.0))

    with Journal(path) as journal:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    epochs: dict[str, list[int]] = {}
    for _, event in read(path):
        assert isinstance(event, TrialReported)
        epochs.setdefault(event.trial, []).append(event.epoch)
    assert epochs == {f"t{number}": list(range(50)) for number in range(4)}


def test_a_full_disk_leaves_the_journal_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(path) as journal:
        journal.append(StageStarted("ingest"))
        before = path.read_bytes()
        write = __import__("os").write
        with monkeypatch.context() as patch:
            patch.setattr("graft.journal.journal.os.write", lambda file, line: write(file, line[:7]))
            with pytest.raises(ResourceError, match="no space left"):
                journal.append(StageStarted("search"))
        assert path.read_bytes() == before
        journal.append(StageStarted("fit"))
    assert stages(path) == ["ingest", "fit"]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_storage_that_fails_is_a_clear_error_and_leaves_the_journal_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def failing(*arguments: object) -> int:
        raise OSError(5, "Input/output error")

    with Journal(path) as journal:
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(f"graft.journal.journal.os.{call}", failing)
            with pytest.raises(
                ResourceError, match=r"cannot be written \(Input/output error\).*graft resume experiment"
            ):
                journal.append(StageStarted("search"))
        assert path.read_bytes() == before


def test_appending_to_a_closed_journal_is_refused(path: Path) -> None:
    journal = Journal(path)
    journal.close()
    journal.close()
    with pytest.raises(ValueError, match="is closed"):
        journal.append(StageStarted("ingest"))


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")
    with pytest.raises(ResourceError, match="cannot be opened"):
        Journal(tmp_path / "file" / "journal.jsonl")


def test_only_epoch_reports_are_not_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    events: list[Event] = [StageStarted("ingest"), TrialReported("t00", 1, {}, 1.0)]
    with Journal(path) as journal:
        monkeypatch.setattr("graft.journal.journal.os.fsync", synced.append)
        for event in events:
            journal.append(event)
        assert len(synced) == 1


# --- writers on several machines ---

HOLD_THERE = """
import sys
from pathlib import Path
from graft.core.errors import ResourceError
from graft.journal import journal
from graft.journal.events import StageStarted
from graft.journal.lease import Machine, Terms
journal.fcntl.flock = lambda file, mode: None
opened = journal.Journal(Path(sys.argv[1]), terms=Terms(Machine("there", "another-boot"), period=0.01))
for stage in sys.stdin:
    try:
        opened.append(StageStarted(stage.strip()))
        print("written", flush=True)
    except ResourceError as error:
        print(error, flush=True)
"""

THERE = Machine("there", "another-boot")


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on storage where locks do not reach the other machine."""
    monkeypatch.setattr("graft.journal.journal.fcntl.flock", lambda file, mode: None)


def open_there(path: Path) -> Journal:
    """As a writer on another machine whose heart does not beat."""
    return Journal(path, terms=Terms(THERE, period=1e9))


def take_over(path: Path) -> Journal:
    return Journal(path, terms=Terms(period=0.001, expiry=0.005))


def test_a_writer_says_who_it_is(path: Path) -> None:
    with Journal(path):
        pass
    with Journal(path):
        opened = [line.event for line in scan(path)]
    assert [event.token for event in opened if isinstance(event, WriterOpened)] == [1, 2]
    assert list(read(path)) == [], "it is no part of the experiment's story"


@pytest.mark.usefixtures("no_locks")
def test_a_second_machine_is_refused_while_the_first_one_lives(path: Path) -> None:
    with Journal(path, terms=Terms(THERE, period=0.001)) as journal:
        with pytest.raises(ResourceError, match=r"another process: pid \d+ on there"):
            Journal(path, terms=Terms(period=0.2, expiry=60))
        assert is_being_written(path)
        journal.append(StageStarted("ingest"))
    assert not is_being_written(path)
    assert stages(path) == ["ingest"]


@pytest.mark.usefixtures("no_locks")
def test_a_writer_that_lost_its_lease_writes_nothing_more(path: Path) -> None:
    lost = open_there(path)
    lost.append(StageStarted("ingest"))
    with take_over(path) as journal:
        before = path.read_bytes()
        with pytest.raises(ResourceError, match="taken over by pid"):
            lost.append(StageStarted("search"))
        assert path.read_bytes() == before
        lost.close()
        journal.append(StageStarted("fit"))
    assert stages(path) == ["ingest", "fit"]


@pytest.mark.usefixtures("no_locks")
def test_what_a_suspended_writer_was_about_to_write_does_not_count(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had looked at its lease when it was suspended, and writes when it wakes."""
    lost = open_there(path)
    journal = take_over(path)
    journal.append(StageStarted("fit"))
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "require", lambda lease: None)
        lost.append(StageStarted("search"))
    (offset, *_) = [line.offset for line in scan(path) if line.is_fenced]
    journal.append(StageStarted("evaluate"))
    journal.close()
    lost.close()
    assert stages(path) == ["fit", "evaluate"]
    assert [event.stage for _, event in read(path, offset)] == ["evaluate"], "whoever begins there has to know too"


@pytest.mark.usefixtures("no_locks")
def test_a_suspended_writer_cuts_off_nothing_of_its_successor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = open_there(path)
    with take_over(path) as journal:
        journal.append(StageStarted("fit"))
        with monkeypatch.context() as patch:
            patch.setattr(Lease, "require", lambda lease: None)
            patch.setattr("graft.journal.journal.os.write", lambda file, line: 0)
            with pytest.raises(ResourceError, match="no space left"):
                lost.append(StageStarted("search"))
    lost.close()
    assert stages(path) == ["fit"]


@pytest.mark.usefixtures("no_locks")
def test_a_suspended_process_that_wakes_up_learns_that_it_was_replaced(path: Path) -> None:
    there = subprocess.Popen(
        [sys.executable, "-c", HOLD_THERE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(Path(sys.modules["graft"].__file__ or "").parents[1])},
    )  # fmt: skip

    def ask(stage: str) -> str:
        assert there.stdin is not None
        assert there.stdout is not None
        print(stage, file=there.stdin, flush=True)
        return there.stdout.readline()

    assert ask("ingest") == "written\n"
    with pytest.raises(ResourceError, match="another process"):
        Journal(path, terms=Terms(period=0.5, expiry=60))
    there.send_signal(signal.SIGSTOP)
    with Journal(path, terms=Terms(period=0.1, expiry=0.5)) as journal:
        journal.append(StageStarted("fit"))
        there.send_signal(signal.SIGCONT)
        assert "was taken over by pid" in ask("search")
        assert journal.append(StageStarted("evaluate"))
    there.communicate()
    assert stages(path) == ["ingest", "fit", "evaluate"]


def test_without_locks_of_the_file_system_the_lease_decides(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(file: int, mode: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("graft.journal.journal.fcntl.flock", unsupported)
    with Journal(path, terms=Terms(period=0.001)):
        assert is_being_written(path)
        with pytest.raises(ResourceError, match="another process"):
            Journal(path, terms=Terms(period=0.2, expiry=60))
    Journal(path).close()


def test_a_journal_from_before_there_were_leases_is_read_and_continued(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(to_json(StageStarted("ingest", time=1.0)) + "\n" + to_json(StageStarted("search", time=2.0)) + "\n")
    assert stages(path) == ["ingest", "search"]
    with Journal(path) as journal:
        journal.append(StageStarted("fit"))
    assert stages(path) == ["ingest", "search", "fit"]


def test_tokens_grow_where_the_lease_was_deleted(path: Path) -> None:
    Journal(path).close()
    for lease in path.parent.glob("*.lease.*"):
        lease.unlink()
    with Journal(path):
        tokens = [line.event.token for line in scan(path) if isinstance(line.event, WriterOpened)]
    assert tokens == [1, 2]


def test_a_disk_that_is_full_when_it_opens_is_a_clear_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("graft.journal.journal.os.write", lambda file, line: 0)
        with pytest.raises(ResourceError, match="no space left"):
            Journal(path)
    Journal(path).close()


# --- looking at every line ---


def test_a_scan_shows_damage_and_goes_on(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(StageStarted("ingest"))
        offset = path.stat().st_size
        journal.append(StageStarted("search"))
        journal.append(StageStarted("fit"))
    content = bytearray(path.read_bytes())
    content[offset + 20] ^= 4
    path.write_bytes(content + b'{"v": 1, "ki')
    lines = list(scan(path))
    assert [bool(line.problem) for line in lines] == [False, False, True, False, True]
    assert [line.is_torn for line in lines] == [False, False, False, False, True]
    assert lines[2].offset == offset
    assert lines[-1].end == path.stat().st_size
    with pytest.raises(ArtifactError, match=f"byte {offset}"):
        list(read(path))


def test_unknown_kinds_are_lines_without_an_event(path: Path) -> None:
    with Journal(path):
        pass
    with path.open("ab") as stream:
        stream.write(encode(StageStarted("x"), 1).replace(b"StageStarted", b"StagePaused"))
        stream.write(b'{"v":1,"kind":"StagePaused","time":1.0}\n')
    lines = list(scan(path))
    assert [(line.event is None, bool(line.problem)) for line in lines[1:]] == [(True, True), (True, False)]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_told_and_not_waited_for(path: Path, make: Callable[[Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    for look in (lambda: list(scan(path)), lambda: is_being_written(path)):
        with pytest.raises(ArtifactError, match=f"journal {path} cannot be read .*; restore the file"):
            look()
    with pytest.raises(ResourceError, match="cannot be opened"):
        Journal(path)
    path.rmdir() if path.is_dir() else path.unlink()
    Journal(path).close()
    lease = next(path.parent.glob(f"{path.name}.lease.*"))
    lease.unlink()
    make(lease)
    with pytest.raises(ArtifactError, match=f"{lease} cannot be read as a lease .*; remove it"):
        is_being_written(path)
