"""`graft features`: refusals before anything expensive; the work itself is in tests/pipeline/features."""

from pathlib import Path

import pytest

from graft.pipeline.features import features as module
from graft.pipeline.features.features import FeatureSummary

JOB = "name: x\ndata: digits\nstrategy: {backbone: efficientnet_lite0, resolution: 32}\n"
SUMMARY = FeatureSummary("efficientnet_lite0", 5, 17, 32, 40, {"train": 1079, "test": 359}, 1000, 438, 2, 3.25)


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch, home: Path) -> list:
    calls = []

    def write(request, place, path, on_progress):
        calls.append((request, path))
        return SUMMARY

    monkeypatch.setattr(module, "write_features", write)
    return calls


def test_a_line_says_what_was_written(graft, job_file, tmp_path: Path, extracted: list) -> None:
    out = tmp_path / "x.parquet"
    done = graft("features", job_file(JOB), out, "--cut", 5, "--split", "test")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == (
        f"{out}: 40 features of 1,079 train, 359 test samples, by efficientnet_lite0 (5 of its blocks, size 32); "
        "438 rows computed, 1,000 from the store, 3.2 s; 2 samples cannot be read\n"
    )
    request, path = extracted[0]
    assert (request.cut, [split.name for split in request.splits], path) == (5, ["TEST"], out)


def test_json_is_one_object(graft, job_file, tmp_path: Path, extracted: list) -> None:
    out = tmp_path / "x.parquet"
    found = graft("features", job_file(JOB), out, "--set", "strategy.resolution=64", "--json").json
    assert set(found) == {
        "output", "backbone", "cut", "num_blocks", "size", "num_features", "rows", "stored", "computed", "left_out",
        "seconds", "note",
    }  # fmt: skip
    assert extracted[0][0].size == 64


def test_a_file_that_exists_is_kept(graft, job_file, tmp_path: Path, extracted: list) -> None:
    out = tmp_path / "x.parquet"
    out.write_text("mine")
    done = graft("features", job_file(JOB), out)
    assert done.exit_code == 2
    assert (
        done.err == f"graft: the output is {out}, which exists already; name another file, or replace it with --force\n"
    )
    assert extracted == []
    assert graft("features", job_file(JOB), out, "--force").exit_code == 0


def test_what_the_job_leaves_open_is_asked_for(graft, job_file, tmp_path: Path, extracted: list) -> None:
    job = JOB.replace("efficientnet_lite0,", "{choice: [efficientnet_lite0, efficientnet_lite1]},")
    done = graft("features", job_file(job), tmp_path / "x.parquet")
    assert done.exit_code == 2
    assert done.err.endswith("choose it with --backbone\n")
    assert extracted == []
