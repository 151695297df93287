"""The register stage: make the bundle the champion in MLflow's registry."""

from graft.core.credentials import redact
from graft.core.errors import StoreBusyError, TrackingError
from graft.core.storage import directory_digest
from graft.journal import events
from graft.pipeline.context import RunContext
from graft.pipeline.publishing import register_bundle
from graft.pipeline.stages.runner import Output
from graft.pipeline.waits import again_while, telling_long_wait
from graft.tracking.model_uri import ModelUri
from graft.tracking.relay_files import RelayFiles
from graft.tracking.target import Target, target_of

# How long a database may be locked by others; each attempt waits for 20 s by itself.
BUSY_S = 300.0


def run_register(run: RunContext) -> Output:
    """Register the bundle.

    Raises:
        TrackingError: it could not be registered; the message says where the model is, and how to register it later.
    """
    bundle, name = run.experiment.bundle, run.job.model_name
    target = target_of(run.home, run.job)

    def register() -> tuple[str, str]:
        return register_bundle(run.experiment, target, bundle, name)

    try:
        with telling_long_wait(run.journal, lambda: _for_whom(run, target)):
            uri, version = again_while(StoreBusyError, register, run.clock, BUSY_S)
    except TrackingError as error:
        later = f"`graft resume {run.experiment.name}` registers it later"
        raise TrackingError(f"the model is ready in {bundle}, but {error}; {later}") from error
    run.journal.append(events.ModelRegistered(uri, version, directory_digest(bundle)))
    champion = str(ModelUri.champion(name))
    return {"model_uri": champion, "version": version, "summary": f"{champion} is version {version}"}


def _for_whom(run: RunContext, target: Target) -> str:
    behind = RelayFiles(run.experiment.directory).behind(run.experiment.journal_file)
    relay = f", which the relay of this run writes to as well ({behind} records are on their way)" if behind else ""
    return f"for the tracking store {redact(target.uri)}{relay}"
