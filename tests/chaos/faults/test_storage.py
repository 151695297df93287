"""What the storage faults do to files is what they say."""

from types import SimpleNamespace

import pytest

from graft.chaos.catalog import FAULTS, choose
from graft.chaos.fault import Missed
from graft.chaos.faults.storage import flip_a_bit, newest_weights, tear, truncate
from graft.core.errors import SpecError
from graft.journal import events
from graft.journal.journal import Journal, read, scan
from graft.learner.checkpoints import CheckpointStore
from graft.search.protocol import Checkpoint


def test_a_torn_journal_has_its_records_and_half_a_line(tmp_path):
    file = tmp_path / "journal.jsonl"
    with Journal(file) as journal:
        journal.append(events.StageStarted("ingest"))
    before = [event for _, event in read(file)]
    tear(file)
    assert [event for _, event in read(file)] == before
    assert [line.is_torn for line in scan(file)] == [False, False, True]


def test_one_bit_flips_and_the_length_stays(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(bytes(1000))
    flip_a_bit(file)
    assert sum(byte.bit_count() for byte in file.read_bytes()) == 1
    assert file.stat().st_size == 1000
    truncate(file)
    assert file.stat().st_size == 500


def test_the_weights_that_are_damaged_are_some_that_will_be_read(tmp_path, trials):
    """A trial that has just copied another goes on from the other's state."""
    store = CheckpointStore(tmp_path)
    for trial in ("t1", "t2"):
        for epoch in (1, 2):
            file = store.state_file(Checkpoint(trial, 0, epoch))
            file.parent.mkdir(exist_ok=True)
            file.touch()
    begun = [events.TrialStarted(trial, {}, "x") for trial in ("t1", "t2")]
    reports = [events.TrialReported(trial, 2, {}, 1.0) for trial in ("t1", "t2")]
    sandbox = SimpleNamespace(experiment=SimpleNamespace(checkpoints=tmp_path), records=[*begun, *reports])
    assert newest_weights(sandbox) == store.state_file(Checkpoint("t1", 0, 2))
    sandbox.records.append(trials.exploited("t1", "t2", 1))
    assert newest_weights(sandbox) == store.state_file(Checkpoint("t2", 0, 2))
    sandbox.records.append(events.TrialFinished("t2", events.TrialStatus.COMPLETED, "", 2))
    with pytest.raises(Missed):
        newest_weights(sandbox)


def test_every_fault_says_what_is_done_and_what_is_promised():
    for name, fault in FAULTS.items():
        assert fault.name == name
        for text in (fault.done, fault.guarantee):
            assert text, name
            assert not text.endswith((".", "\n")), name


def test_faults_are_chosen_by_name():
    assert choose([]) == list(FAULTS.values())
    assert [fault.name for fault in choose(["ctrl-c", "bad-day"])] == ["ctrl-c", "bad-day"]
    with pytest.raises(SpecError, match="trial-killed"):
        choose(["trial-kiled"])
