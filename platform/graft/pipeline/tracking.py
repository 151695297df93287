"""The way of an experiment into MLflow: a relay process beside the run, and the registration at its end."""

from importlib.metadata import version
from pathlib import Path

from graft.core.storage import Home
from graft.pipeline.experiment import Experiment
from graft.spec.job import Job
from graft.tracking.environment import settle_environment
from graft.tracking.relay import sync
from graft.tracking.relay_files import RelayStatus
from graft.tracking.target import Target

# How long a finished run waits for its last records to arrive; the relay goes on by itself after that.
DRAIN_SECONDS = 60.0


def target_of(home: Home, job: Job) -> Target:
    """Where a job's runs are recorded: its own store, or the one in the home."""
    if job.tracking.uri:
        return Target(job.tracking.uri, job.experiment_name)
    return Target(home.tracking_uri, job.experiment_name, home.artifact_root)


def sync_experiment(home: Home, experiment: Experiment) -> RelayStatus:
    """Ship what has not arrived yet, now, in this process."""
    return sync(experiment.directory, target_of(home, experiment.job()))


def register_bundle(experiment: Experiment, target: Target, bundle: Path, model_name: str) -> tuple[str, str]:
    """Register a bundle as the champion of `model_name`; returns its ``models:/`` URI and version."""
    settle_environment()
    from graft.tracking.mlflow import ModelPackage, register  # MLflow takes seconds to import

    package = ModelPackage(
        bundle=bundle,
        name=model_name,
        loader_module="graft.serving.mlflow_model",
        requirements=(f"graft=={version('graft')}",),
        inputs={"image": "string"},
        outputs={"label": "string", "probability": "double"},
    )
    registered = register(experiment.directory, target, package)
    return registered.uri, registered.version
