"""Counts what an experiment has recorded, and what of it is in MLflow, as ``graft journal verify --json`` does."""

from pathlib import Path

from graft.chaos.fault import Broken
from graft.core.errors import GraftError
from graft.journal.journal import journal_path
from graft.tracking.environment import settle_environment
from graft.tracking.target import Target


def count(target: Target, directory: Path) -> dict[str, int | None]:
    """The counts of an experiment, or of a meta-training.

    In this process: MLflow takes seconds to import, and this is asked for after every fault.

    Args:
        target: where its runs are recorded.
        directory: of it.

    Raises:
        Broken: the journal or the tracking store cannot be read.
    """
    settle_environment()
    from graft.tracking.mlflow.audit import audit_store

    try:
        expected, audit = audit_store(target, journal_path(directory))
    except GraftError as error:
        raise Broken(f"nothing can be counted: {error}") from error
    return {
        "records": expected.records,
        "torn": len(expected.damage),
        "trials": len(expected.trials),
        "runs_expected": audit.runs_expected,
        "runs_in_mlflow": audit.runs_found,
        "metrics_expected": audit.metrics_expected,
        "metrics_in_mlflow": audit.metrics_found,
        "lost": audit.lost,
        "doubled": audit.doubled,
    }
