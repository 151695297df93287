import json

import pytest

from graft.core.errors import ArtifactError
from graft.journal.event_json import to_json
from graft.journal.events import Event, StageStarted
from graft.journal.lines import decode, encode, token_of


def test_every_record_survives_its_line(story: list[Event]) -> None:
    for event in story:
        line = encode(event, 3)
        assert line.endswith(b"\n")
        assert decode(line[:-1]) == event
        assert token_of(line[:-1]) == 3


def test_a_line_is_still_json_with_a_version() -> None:
    record = json.loads(encode(StageStarted("ingest"), 12))
    assert (record["v"], record["kind"], record["w"]) == (1, "StageStarted", 12)


def test_lines_from_before_there_were_checksums_are_read() -> None:
    text = to_json(StageStarted("ingest")).encode()
    assert decode(text) == StageStarted("ingest")
    assert token_of(text) == 0


def test_no_flipped_bit_of_a_record_goes_unnoticed() -> None:
    event = StageStarted("ingest", time=1234.5)
    text = encode(event, 1)[:-1]
    missed = []
    for bit in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read = decode(bytes(flipped))
        except ArtifactError:
            continue
        if read != event:
            missed.append((bit, bytes(flipped)))
    assert missed == []


def test_a_wrong_number_is_told_by_the_checksum() -> None:
    with pytest.raises(ArtifactError, match="does not match its checksum"):
        decode(encode(StageStarted("ingest", time=1.0), 1)[:-1].replace(b"1.0", b"2.0"))


def test_a_damaged_token_fences_nobody_off() -> None:
    text = encode(StageStarted("ingest"), 1)[:-1]
    assert token_of(text) == 1
    assert token_of(text.replace(b'"w":1', b'"w":9')) == 0
