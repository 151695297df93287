"""What the storage faults do to files is what they say."""

import pytest

from graft.core.errors import SpecError
from graft.pipeline.faults.catalog import FAULTS, choose
from graft.pipeline.faults.storage_faults import flip_a_bit, tear, truncate
from graft.tracking import events
from graft.tracking.journal import Journal, read, scan


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
