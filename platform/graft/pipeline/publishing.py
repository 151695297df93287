"""The way of an experiment into MLflow: what its journal says of it, a relay beside the run, the registration."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.core.storage import Home, read_json
from graft.experiments.directory import Experiment
from graft.journal import events
from graft.journal.journal import read
from graft.journal.store.replica import is_written_here
from graft.modalities.registry import build_modality
from graft.models.bundle import read_bundle
from graft.pipeline.plan import make_plan
from graft.pipeline.stages.export import INPUT_EXAMPLE
from graft.search.importance import TriedStrategy, strategy_importance
from graft.spec.job import Job
from graft.spec.messages.counting import counted
from graft.tracking.environment import settle_environment
from graft.tracking.relay import sync
from graft.tracking.relay_files import RelayStatus
from graft.tracking.target import Target, target_of
from graft.workers.allocation import Allocation, ClusterResources

if TYPE_CHECKING:
    import pandas as pd

# How long a finished run waits for its last records to arrive; the relay goes on by itself after that.
DRAIN_SECONDS = 60.0


def plan_made(job: Job, resources: ClusterResources, allocation: Allocation) -> events.PlanMade:
    """What the run is going to do, and with what."""
    nodes = len(resources.nodes)
    there = f"{counted(nodes, 'node')}, {resources.cpus:g} CPU, {resources.gpus:g} GPU"
    return events.PlanMade(make_plan(job).to_dict(), there, allocation.cpus, allocation.gpus)


def importance_of(journal_file: Path, job: Job) -> events.ImportanceEstimated:
    """Which fields of the strategy the results so far depended on.

    Trials that go on from another's weights are left out, and what a trial did after it had copied: their results are
    also those of the strategy before.
    """
    name, tried, changed = f"val/{job.objective.name}", {}, set()
    for _, event in read(journal_file):
        match event:
            case events.TrialStarted(trial=trial, strategy=strategy, start=None) if trial not in tried:
                tried[trial] = TriedStrategy(strategy, {})
            case events.TrialExploited(trial=trial):
                changed.add(trial)
            case events.TrialReported(trial=trial, epoch=epoch, metrics=metrics):
                if trial in tried and trial not in changed and name in metrics:
                    tried[trial] = TriedStrategy(tried[trial].strategy, {**tried[trial].scores, epoch: metrics[name]})
            case _:
                pass
    found = strategy_importance([*tried.values()], job.objective.mode == "max", job.search.seed)
    return events.ImportanceEstimated(found.shares, found.explained, found.trials, found.epoch, found.note)


def sync_experiment(home: Home, experiment: Experiment, restart: bool = False) -> RelayStatus:
    """Ship what has not arrived yet, or with `restart` everything, now, in this process."""
    home.close()
    return sync(experiment.directory, target_of(home, experiment.job()), restart)


def sync_home(home: Home) -> None:
    """Have what the experiments of a home that is a store say in this machine's database; nothing to do elsewhere.

    Those that a server tracks are there, and those that run on this machine have a relay.
    """
    for name in Experiment.names(home) if home.address else ():
        experiment = Experiment.at(home, name)
        if experiment.job().tracking.uri is None and not is_written_here(experiment.journal_file):
            sync_experiment(home, experiment)


def register_bundle(experiment: Experiment, target: Target, bundle: Path, model_name: str) -> tuple[str, str]:
    """Register a bundle as the champion of `model_name`; returns its ``models:/`` URI and version."""
    settle_environment()
    from graft.tracking.mlflow.registration import ModelPackage, register  # MLflow takes seconds to import

    example = read_json(bundle.with_name(INPUT_EXAMPLE)) if bundle.with_name(INPUT_EXAMPLE).is_file() else {}
    modality = build_modality(read_bundle(bundle).spec.modality)
    package = ModelPackage(
        bundle=bundle,
        name=model_name,
        loader_module="graft.serving.mlflow_model",
        requirements=(f"graft=={version('graft')}",),
        inputs=modality.signature,
        outputs={name: _type_name(value) for name, value in example.get("output", {}).items()},
        input_example=_input_example(example.get("input")),
    )
    registered = register(experiment.directory, target, package)
    return registered.uri, registered.version


def _type_name(value: Any) -> str:
    """What MLflow calls the type of a value."""
    return "string" if isinstance(value, str) else "double"


def _input_example(row: dict[str, Any] | None) -> "pd.DataFrame | None":
    """The table that the model's `predict` takes, with one sample of the data."""
    if not row:
        return None
    import pandas as pd

    return pd.DataFrame({name: [value] for name, value in row.items()})
