"""Runs as a tracking store holds them, whoever has made them: what the task memory learns from others."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One value of a metric.

    Attributes:
        step: that it was logged at; epochs count from 1.
        value: may be non-finite.
        time: seconds since the epoch.
    """

    step: int
    value: float
    time: float


@dataclass(frozen=True)
class LoggedRun:
    """A run that has ended.

    Attributes:
        run_id: MLflow's.
        experiment: name of its MLflow experiment.
        user: who ran it.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``.
        start: seconds since the epoch.
        params: as texts.
        tags: its own.
        parent_tags: those of the run that it is nested in; empty if it is in none.
        curves: metric -> its points, by step.
    """

    run_id: str
    experiment: str
    user: str
    status: str
    start: float
    params: Mapping[str, str]
    tags: Mapping[str, str]
    parent_tags: Mapping[str, str]
    curves: Mapping[str, tuple[Point, ...]]
