"""The register stage: make the bundle the champion in MLflow's registry."""

from graft.core.errors import TrackingError
from graft.core.storage import directory_digest
from graft.journal import events
from graft.pipeline.context import RunContext
from graft.pipeline.publishing import register_bundle
from graft.pipeline.stages.runner import Output
from graft.tracking.model_uri import ModelUri
from graft.tracking.target import target_of


def run_register(run: RunContext) -> Output:
    """Register the bundle.

    Raises:
        TrackingError: it could not be registered; the message says where the model is, and how to register it later.
    """
    bundle, name = run.experiment.bundle, run.job.model_name
    try:
        uri, version = register_bundle(run.experiment, target_of(run.home, run.job), bundle, name)
    except TrackingError as error:
        later = f"`graft resume {run.experiment.name}` registers it later"
        raise TrackingError(f"the model is ready in {bundle}, but {error}; {later}") from error
    run.journal.append(events.ModelRegistered(uri, version, directory_digest(bundle)))
    champion = str(ModelUri.champion(name))
    return {"model_uri": champion, "version": version, "summary": f"{champion} is version {version}"}
