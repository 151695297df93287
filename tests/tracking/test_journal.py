import subprocess
import sys
import threading
from pathlib import Path

import pytest

from graft.core.errors import ArtifactError, ResourceError
from graft.tracking.events import Event, StageStarted, TrialReported
from graft.tracking.journal import Journal, is_being_written, read

HOLD = """
import sys
from pathlib import Path
from graft.tracking.events import StageStarted
from graft.tracking.journal import Journal
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
    with pytest.raises(ArtifactError, match="cannot be read"):
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
            patch.setattr("graft.tracking.journal.os.write", lambda file, line: write(file, line[:7]))
            with pytest.raises(ResourceError, match="no space left"):
                journal.append(StageStarted("search"))
        assert path.read_bytes() == before
        journal.append(StageStarted("fit"))
    assert stages(path) == ["ingest", "fit"]


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
        monkeypatch.setattr("graft.tracking.journal.os.fsync", synced.append)
        for event in events:
            journal.append(event)
    assert len(synced) == 2  # the stage, and closing
