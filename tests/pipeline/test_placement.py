"""What `graft plan` says of where decoded samples go, before they are listed."""

from pathlib import Path

import pytest

from graft.pipeline.look import placement_of
from graft.spec.job import Job
from graft.spec.load import parse_job


def job(**data: object) -> Job:
    return parse_job({"version": 1, "name": "a", "data": {"kind": "digits", **data}})


@pytest.mark.parametrize(
    ("settings", "is_streamed"), [({}, False), ({"disk_gb": 0.0001}, True), ({"store": "stream"}, True)]
)
def test_it_is_decided_as_the_ingest_will(settings: dict[str, object], is_streamed: bool, tmp_path: Path) -> None:
    found = placement_of(job(**settings), 1797, tmp_path / "not" / "there" / "yet")
    assert found.is_streamed is is_streamed
    assert found.reason.startswith("1,797 samples of ")
