from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from graft.journal.events import Event, ExperimentStarted, TrialReported, TrialStarted
from graft.journal.journal import Journal, journal_path, scan
from graft.journal.lines import encode
from graft.tracking.audit import Expected, Found, compare, experiment_key
from graft.tracking.target import run_key

Tell = Callable[..., None]


@pytest.fixture
def file(experiment_dir: Path, told: Tell) -> Path:
    told()
    return journal_path(experiment_dir)


@pytest.fixture
def expected(file: Path) -> Expected:
    return Expected.of(scan(file))


def mirror(expected: Expected) -> list[Found]:
    """A store that holds exactly what is expected."""
    return [
        Found(key, {name: sorted(places) for name, places in metrics.items()})
        for key, metrics in expected.points.items()
    ]


def damage(file: Path, record: int) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    lines[record] = lines[record].replace(b'"time":', b'"tame":')
    file.write_bytes(b"".join(lines))


def test_a_journal_is_counted(expected: Expected, file: Path, story: list[Event]) -> None:
    assert expected.records == len(file.read_bytes().splitlines()) == len(story) + 1  # the writer
    assert expected.trials == {"t00", "t01", "t02", "t03"}
    assert expected.points.keys() == {run_key(file.parent.as_posix(), name) for name in ("", *expected.trials)}
    assert (expected.damage, expected.fenced, expected.is_damaged) == ([], 0, False)
    assert expected.metrics > 4 * 2 * 3


def test_the_key_is_the_experiments(file: Path) -> None:
    assert experiment_key(scan(file)) == str(file.parent)
    assert experiment_key([]) is None


def test_points_are_told_apart_by_step_and_time(expected: Expected, file: Path) -> None:
    accuracy = expected.points[run_key(str(file.parent), "t00")]["val/accuracy"]
    assert [step for step, _ in sorted(accuracy)] == [1, 2]
    assert all(time > 1_700_000_000_000 for _, time in accuracy)


def test_what_is_recorded_twice_is_expected_once(file: Path, story: list[Event]) -> None:
    before = Expected.of(scan(file))
    with Journal(file) as journal:
        started = next(event for event in story if isinstance(event, TrialStarted))
        journal.append(replace(started, time=5.0))
    assert len(Expected.of(scan(file)).points) == len(before.points)


def test_a_store_with_everything_has_nothing_lost_or_doubled(expected: Expected) -> None:
    audit = compare(expected, mirror(expected))
    assert (audit.lost, audit.doubled) == (0, 0)
    assert audit.runs_found == audit.runs_expected == 5
    assert audit.metrics_found == audit.metrics_expected == expected.metrics


def test_an_empty_store_has_lost_all(expected: Expected) -> None:
    audit = compare(expected, [])
    assert (audit.runs_found, audit.metrics_found, audit.doubled) == (0, 0, 0)
    assert audit.lost == 5 + expected.metrics


def test_a_point_that_is_missing_is_lost(expected: Expected) -> None:
    found = mirror(expected)
    name = next(iter(found[1].points))
    found[1] = Found(found[1].key, {**found[1].points, name: found[1].points[name][1:]})
    audit = compare(expected, found)
    assert (audit.lost, audit.doubled) == (1, 0)


def test_a_point_at_another_time_is_doubled(expected: Expected) -> None:
    """It was sent with the time of sending, and then again."""
    found = mirror(expected)
    step, time = found[1].points["val/accuracy"][0]
    points = [*found[1].points["val/accuracy"], (step, time + 700)]
    found[1] = Found(found[1].key, {**found[1].points, "val/accuracy": points})
    audit = compare(expected, found)
    assert (audit.lost, audit.doubled) == (0, 1)
    assert audit.metrics_found == audit.metrics_expected + 1


def test_two_values_at_one_place_are_doubled(expected: Expected) -> None:
    found = mirror(expected)
    points = list(found[1].points["val/accuracy"])
    found[1] = Found(found[1].key, {**found[1].points, "val/accuracy": [*points, points[0]]})
    assert compare(expected, found).doubled == 1


def test_a_run_that_exists_twice_is_doubled_and_the_fuller_one_counts(expected: Expected) -> None:
    found = mirror(expected)
    audit = compare(expected, [*found, Found(found[2].key, {})])
    assert (audit.runs_found, audit.lost, audit.doubled) == (6, 0, 1)


def test_a_run_that_the_journal_does_not_know_is_doubled(expected: Expected) -> None:
    assert compare(expected, [*mirror(expected), Found("stranger", {})]).doubled == 1


def test_metrics_of_others_do_not_count(expected: Expected) -> None:
    found = [Found(run.key, {**run.points, "theirs/loss": [(1, 1), (1, 2)]}) for run in mirror(expected)]
    audit = compare(expected, found)
    assert (audit.doubled, audit.metrics_found) == (0, expected.metrics)


def test_metrics_are_found_under_the_name_they_are_stored_by(expected: Expected) -> None:
    stored = [Found(run.key, {name.upper(): points for name, points in run.points.items()}) for run in mirror(expected)]
    assert compare(expected, stored, str.upper).lost == 0
    assert compare(expected, stored).lost == expected.metrics


def test_a_damaged_record_does_not_hide_the_rest(file: Path, expected: Expected, story: list[Event]) -> None:
    number = next(number for number, event in enumerate(story, start=1) if isinstance(event, TrialStarted))
    damage(file, number)
    now = Expected.of(scan(file))
    assert now.is_damaged
    assert (now.records, len(now.damage)) == (expected.records - 1, 1)
    assert now.trials == {"t01", "t02", "t03"}
    assert 0 < now.metrics < expected.metrics


def test_what_a_damaged_record_said_is_no_double_in_the_store(
    file: Path, expected: Expected, story: list[Event]
) -> None:
    number = next(number for number, event in enumerate(story, start=1) if isinstance(event, TrialStarted))
    damage(file, number)
    audit = compare(Expected.of(scan(file)), mirror(expected))
    assert (audit.lost, audit.doubled) == (0, 0)


def test_beside_a_damaged_record_true_doubles_still_show(file: Path, expected: Expected, story: list[Event]) -> None:
    number = next(number for number, event in enumerate(story, start=1) if isinstance(event, TrialReported))
    damage(file, number)
    now, store = Expected.of(scan(file)), mirror(expected)
    assert compare(now, store).doubled == 0
    step, time = store[1].points["val/accuracy"][1]
    twice = [*store[1].points["val/accuracy"], (step, time + 700)]
    store[1] = Found(store[1].key, {**store[1].points, "val/accuracy": twice})
    assert compare(now, store).doubled == 1


def test_a_damaged_beginning_leaves_nothing_to_expect(file: Path, story: list[Event]) -> None:
    assert isinstance(story[0], ExperimentStarted)
    damage(file, 1)
    now = Expected.of(scan(file))
    assert (now.experiment_key, now.points) == (None, {})
    assert now.records == len(story)


def test_a_torn_last_line_is_no_damage(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b'{"v":1')
    now = Expected.of(scan(file))
    assert [line.is_torn for line in now.damage] == [True]
    assert not now.is_damaged


def test_records_of_a_fenced_writer_are_not_expected(file: Path, expected: Expected) -> None:
    Journal(file).close()
    with file.open("ab") as stream:
        stream.write(encode(TrialStarted("t99", {}, "late", time=9.0), 1))
    now = Expected.of(scan(file))
    assert (now.fenced, now.records) == (1, expected.records + 2)
    assert "t99" not in now.trials
    assert len(now.points) == 5
