"""The application of Ray Serve that answers with a model; `graft.spec.service.IMPORT_PATH` names its builder."""

from typing import Any

from ray import serve
from ray.serve import Application

from graft.core.storage import Home
from graft.experiments.find_bundle import pinned_model
from graft.pipeline.ray_session import WORKER_ENVIRONMENT
from graft.pipeline.serving.replica import Answers, ongoing
from graft.spec.service import ServiceSpec, parse_service
from graft.tracking.mlflow.scoring import TIMEOUT

DEPLOYMENT = "answers"


def app(args: dict[str, Any]) -> Application:
    """Build the application.

    An alias is read here, once: replicas that start later have the same version as the others.

    Args:
        args: keys of `ServiceSpec`.

    Raises:
        SpecError: an argument is wrong, or there is no such model.
        TrackingError: the store does not answer, or has no such model.
    """
    service = parse_service(args)
    deployment = serve.deployment(Answers, name=DEPLOYMENT).options(**options_of(service))
    return deployment.bind(pinned_model(service.model, Home.find(service.home)), service)


def options_of(service: ServiceSpec) -> dict[str, Any]:
    """What Ray Serve is told of the replicas."""
    environment = {**WORKER_ENVIRONMENT, TIMEOUT: str(service.timeout_s)}
    return {
        "max_ongoing_requests": ongoing(service),
        "max_queued_requests": service.waiting,
        "autoscaling_config": {
            "min_replicas": service.min_replicas,
            "max_replicas": service.max_replicas,
            # A batch in the making for each: below that, another replica would only make batches smaller.
            "target_ongoing_requests": service.batch_size,
        },
        "ray_actor_options": {
            "num_cpus": service.cpus,
            "num_gpus": service.gpus,
            "runtime_env": {"env_vars": environment},
        },
        # A new version starts before an old one stops (by default the old one stops first, and callers wait).
        "max_surge_percent": 100,
        "health_check_period_s": 5.0,
        "graceful_shutdown_timeout_s": 30.0,
    }
