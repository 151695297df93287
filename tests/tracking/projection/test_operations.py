from graft.tracking.projection.operations import CloseRun, LogMetrics, OpenRun, Point, SetTags, batched


def points(*steps: int) -> tuple[Point, ...]:
    return tuple(Point("a", 1.0, 1.0, step) for step in steps)


def test_points_of_a_run_go_together_before_it_ends() -> None:
    operations = [
        OpenRun("t00", "t00", 1.0, {}),
        LogMetrics("t00", points(1)),
        LogMetrics("t01", points(1)),
        SetTags("t00", {"a": "b"}),
        LogMetrics("t00", points(2)),
        CloseRun("t00", "FINISHED", 2.0),
        LogMetrics("t01", points(2)),
    ]
    assert list(batched(operations)) == [
        OpenRun("t00", "t00", 1.0, {}),
        SetTags("t00", {"a": "b"}),
        LogMetrics("t00", points(1, 2)),
        CloseRun("t00", "FINISHED", 2.0),
        LogMetrics("t01", points(1, 2)),
    ]
