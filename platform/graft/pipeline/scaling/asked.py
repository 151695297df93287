"""What a job asks a cluster for: the placement groups of trials, of the fit, and of the work on data."""

from dataclasses import dataclass, replace

from graft.clusters.autoscaling.gang import Gang
from graft.clusters.node_types import ACCELERATOR, ClusterNodes
from graft.learner.head_fusion import heads_at_once, reason_not_fused
from graft.search.outlook import worth_at_once
from graft.spec.job import Job
from graft.spec.search.phases import total_trials
from graft.workers.allocation import Allocation, ClusterResources, Node, allocate, allocate_fit, on_whole_nodes


@dataclass(frozen=True)
class Asked:
    """What a job asks for.

    Attributes:
        trial: of one trial, or of a process that trains the heads of several.
        concurrent: such gangs at once.
        trials_at_once: trials that run in them.
        fit: of the final fit.
        data: of a task that reads data.
    """

    trial: Gang
    concurrent: int
    trials_at_once: int
    fit: Gang
    data: Gang

    @property
    def is_fused(self) -> bool:
        """Whether trials share processes."""
        return self.trials_at_once > self.concurrent


def wished(job: Job) -> Gang:
    """What a trial needs at the least, before a cluster is looked at; `auto` is one CPU, and no GPU."""
    spec = job.resources
    cpus = 1.0 if spec.cpus_per_worker == "auto" else float(spec.cpus_per_worker)
    gpus = 0.0 if spec.gpus_per_worker == "auto" else float(spec.gpus_per_worker)
    return Gang(
        spec.workers, {"CPU": cpus, "GPU": gpus}, spec.placement, {ACCELERATOR: spec.gpu_type} if spec.gpu_type else {}
    )


def wished_fit(job: Job) -> Gang:
    """The fewest workers that the final fit needs."""
    fit, trial = job.training.fit, wished(job)
    workers = job.resources.workers if fit.workers == "auto" else fit.workers
    return replace(trial, workers=fit.min_workers or workers)


def asked_of(job: Job, cluster: ClusterNodes) -> Asked:
    """What a job asks of a cluster, as a run there would.

    Raises:
        ResourceError: it has no room for one trial.
    """
    there = ClusterResources(nodes_to_come(cluster).nodes[: job.search.budget.nodes])
    worth = on_whole_nodes(worth_at_once(job), job.resources, there)
    share = allocate(job.resources, there, worth if cluster.is_elastic else total_trials(job.phases))
    fit = allocate_fit(job.resources, job.training.fit, there)
    fused = not reason_not_fused(job, share)
    at_once = heads_at_once(job, share, total_trials(job.phases)) if fused else share.concurrent
    return Asked(_gang(job, share), share.concurrent, at_once, _gang(job, fit), Gang(1, {"CPU": 1.0}))


def nodes_to_come(cluster: ClusterNodes) -> ClusterResources:
    """All nodes that a cluster may have at once, the largest first where it may not have all kinds."""
    nodes = [
        Node(one.resources.get("CPU", 0.0), one.resources.get("GPU", 0.0), one.labels.get(ACCELERATOR, ""))
        for one in cluster.workers
        for _ in range(one.most)
    ]
    return ClusterResources(tuple(sorted(nodes, key=lambda one: (-one.gpus, -one.cpus))[: cluster.most]))


def _gang(job: Job, share: Allocation) -> Gang:
    each = {"CPU": share.cpus_per_worker, "GPU": share.gpus_per_worker}
    return Gang(share.workers, each, share.placement, share.labels)
