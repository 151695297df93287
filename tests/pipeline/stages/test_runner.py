"""Each stage is done once; its output is used again as long as it holds."""

from pathlib import Path
from typing import Any

import pytest

from graft.core.clock import SystemClock
from graft.core.errors import Interrupted
from graft.experiments.stages import StageName
from graft.journal import events
from graft.journal.journal import Journal, read
from graft.pipeline.stages.runner import StageRunner


@pytest.fixture
def runner(tmp_path: Path) -> StageRunner:
    return StageRunner(tmp_path / "stages", Journal(tmp_path / "journal.jsonl"), SystemClock())


def kinds(tmp_path: Path) -> list[str]:
    return [type(event).__name__ for _, event in read(tmp_path / "journal.jsonl")]


def test_a_stage_is_done_once(tmp_path: Path, runner: StageRunner) -> None:
    calls: list[int] = []

    def work() -> dict[str, Any]:
        calls.append(1)
        return {"answer": 42}

    assert runner.run(StageName.INGEST, work) == {"answer": 42}
    assert runner.run(StageName.INGEST, work) == {"answer": 42}
    assert len(calls) == 1
    assert kinds(tmp_path) == ["StageStarted", "StageFinished", "StageSkipped"]


def test_a_stage_whose_output_is_gone_is_done_again(runner: StageRunner) -> None:
    runner.run(StageName.INGEST, lambda: {"answer": 1})
    assert runner.run(StageName.INGEST, lambda: {"answer": 2}, is_valid=lambda output: False) == {"answer": 2}


def test_a_damaged_output_counts_as_none(tmp_path: Path, runner: StageRunner) -> None:
    runner.run(StageName.FIT, lambda: {"answer": 1})
    (tmp_path / "stages" / "fit.json").write_text("{torn")
    assert runner.run(StageName.FIT, lambda: {"answer": 2}) == {"answer": 2}


def test_a_failing_stage_says_why_and_leaves_no_output(tmp_path: Path, runner: StageRunner) -> None:
    def work() -> dict[str, Any]:
        raise ValueError("no light\nat all")

    with pytest.raises(ValueError, match="no light"):
        runner.run(StageName.SEARCH, work)
    failed = [event for _, event in read(tmp_path / "journal.jsonl") if isinstance(event, events.StageFailed)]
    assert [one.detail for one in failed] == ["ValueError: no light"]
    assert list((tmp_path / "stages").glob("*")) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("interrupted during the search")])
def test_one_that_the_user_stops_is_told_as_that(tmp_path: Path, runner: StageRunner, error: BaseException) -> None:
    def work() -> dict[str, Any]:
        raise error

    with pytest.raises(type(error)):
        runner.run(StageName.SEARCH, work)
    failed = [event for _, event in read(tmp_path / "journal.jsonl") if isinstance(event, events.StageFailed)]
    assert [one.detail for one in failed] == [events.INTERRUPTED]


def test_seconds_are_kept_for_skipped_stages_too(runner: StageRunner) -> None:
    runner.run(StageName.FIT, lambda: {})
    before = runner.seconds["fit"]
    runner.seconds.clear()
    runner.run(StageName.FIT, lambda: {})
    assert runner.seconds["fit"] == before


def test_outputs_of_an_experiment_that_was_moved_are_where_it_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")

    def runner_of(experiment: Path) -> StageRunner:
        return StageRunner(experiment / "stages", journal, SystemClock())

    home, moved_home = tmp_path / "home", tmp_path / "else where"
    before = home / "experiments" / "digits-1"
    before.mkdir(parents=True)
    output = {
        "bundle": str(before / "bundle"),
        "directory": str(home / "cache" / "x"),
        "exports": {"onnx": str(before / "exports")},
        "files": [str(before)],
        "foreign": f"{home}-2/x",
        "summary": "done",
        "bytes": 3,
    }
    runner_of(before).run(StageName.EXPORT, lambda: output)
    home.rename(moved_home)
    after = (moved_home / "experiments" / "digits-1").rename(moved_home / "experiments" / "renamed")
    again = runner_of(after).run(StageName.EXPORT, lambda: {"done": "again"})
    assert again == {
        "bundle": str(after / "bundle"),
        "directory": str(moved_home / "cache" / "x"),
        "exports": {"onnx": str(after / "exports")},
        "files": [str(after)],
        "foreign": f"{home}-2/x",
        "summary": "done",
        "bytes": 3,
    }
