"""Drivers of submitted jobs that die with their node are started again on another one (Ray 2.60).

Ray's Jobs API runs a driver once. So a driver that was submitted leaves a small detached actor on the cluster, which
Ray itself starts again elsewhere when its own node dies. It looks how the job stands; where Ray says that the driver
has died with its node, it submits the experiment again, which goes on from its journal. It ends with the job.
"""

import logging
import os
import threading
from dataclasses import dataclass
from enum import Enum

import ray
from ray.exceptions import RayError

from graft.core.errors import GraftError
from graft.submit.entry import VARIABLE
from graft.submit.jobs import SAFE, JobsApi, Submitted, jobs_of, resume
from graft.submit.submission import Submission

_LOG = logging.getLogger(__name__)

NAMESPACE = "graft"
LOOK_S = 5.0
# How often an experiment's driver may lose its node.
MAX_RESTARTS = 10


class Next(Enum):
    """What is to be done for a job."""

    WAIT = "wait"
    RESUME = "resume"
    END = "end"


def next_step(submissions: list[Submitted]) -> Next:
    """What is to be done for an experiment, by all of its submissions, oldest first."""
    if not submissions:
        return Next.END  # Ray has forgotten it: somebody has deleted it
    newest = submissions[-1]
    if not newest.is_over:
        return Next.WAIT
    lost = sum(one.is_node_lost for one in submissions)
    return Next.RESUME if newest.is_node_lost and lost <= MAX_RESTARTS else Next.END


def look(cluster: JobsApi, experiment: str) -> Next:
    """Look how an experiment stands, and submit it again if its driver has died with its node."""
    step = next_step([one for one in jobs_of(cluster) if one.experiment == experiment])
    if step is Next.RESUME:
        resume(cluster, experiment, Submission())
        return Next.WAIT
    return step


@dataclass(frozen=True)
class Keeper:
    """The actor; its thread begins with it, so that one that Ray has started again looks on.

    Attributes:
        experiment: whose driver is started again.
    """

    experiment: str

    def __post_init__(self) -> None:
        threading.Thread(target=self._keep, name="graft-restarts", daemon=True).start()

    def is_up(self) -> bool:
        """An answer."""
        return True

    def _keep(self) -> None:
        from ray.dashboard.utils import ray_address_to_api_server_url

        from graft.submit.connection import Cluster

        done = threading.Event()
        while not done.wait(LOOK_S):
            try:
                address = ray_address_to_api_server_url(ray.get_runtime_context().gcs_address)
                step = look(Cluster(address), self.experiment)
            except (GraftError, RayError, OSError, RuntimeError, ValueError) as error:
                _LOG.warning("%s cannot be looked after: %s", self.experiment, error)  # the head may come back
                continue
            if step is Next.END:
                done.set()
        ray.kill(ray.get_actor(name_of(self.experiment), namespace=NAMESPACE))


def name_of(experiment: str) -> str:
    """The name of an experiment's keeper."""
    return f"restarts-{experiment}"


def keep_driver() -> None:
    """Have this driver started again if its node dies, where it was submitted; Ray must be up.

    A cluster that does not take the actor runs the job all the same.
    """
    experiment = os.environ.get(VARIABLE)
    if not experiment:
        return
    place = SAFE if ray.cluster_resources().get(SAFE) else "node:__internal_head__"
    options = {"num_cpus": 0, "resources": {place: 0.0001}, "max_restarts": -1, "lifetime": "detached"}
    kind = ray.remote(Keeper).options(
        name=name_of(experiment), namespace=NAMESPACE, get_if_exists=True, max_concurrency=2, **options
    )
    try:
        kind.remote(experiment)
    except (RayError, ValueError) as error:
        _LOG.warning("the driver is not started again if its node dies: %s", error)
