"""What can happen to the nodes of a cluster: one of its own, of three nodes on this machine, is started for it."""

from graft.chaos.environment.own_cluster import OwnCluster
from graft.chaos.environment.processes import can_find_processes
from graft.chaos.fault import Fault, Missed, require
from graft.chaos.faults.process import TRIAL
from graft.chaos.sandbox import RunnerContext, Sandbox
from graft.journal import events


def _kill_raylet(sandbox: Sandbox) -> str:
    with OwnCluster(sandbox.environment, sandbox.context.cpus, worker_nodes=2) as cluster:
        sandbox.environment.update(cluster.settings)
        child = sandbox.run()
        moment = sandbox.await_report(child, 1)
        trials = sandbox.processes(TRIAL)
        if not trials or sandbox.count(events.SearchEnded):
            raise Missed("the search was over before its node could be lost")
        cluster.lose_node_of(trials[0])
        summary = child.wait().require_success().summary
    require(not summary["trials"]["failed"], f"{summary['trials']['failed']} trials have failed")
    return f"{moment}, the node that trains"


def _kill_head(sandbox: Sandbox) -> str:
    with OwnCluster(sandbox.environment, sandbox.context.cpus, worker_nodes=1) as cluster:
        sandbox.environment.update(cluster.settings)
        child = sandbox.run()
        moment = sandbox.await_report(child, 1)
        cluster.lose_head()
        ended = child.wait()
    with OwnCluster(sandbox.environment, sandbox.context.cpus, worker_nodes=1) as cluster:
        sandbox.environment.update(cluster.settings)
        sandbox.finish()
    ended.require_one_line()
    return moment


def _needs_no_other_cluster(context: RunnerContext) -> str:
    if not can_find_processes():
        return "this system does not show which processes a run has started"
    return "the nodes of the cluster in RAY_ADDRESS belong to others" if context.is_attached else ""


CLUSTER_FAULTS = (
    Fault(
        "raylet-killed",
        "of two nodes, the one that trains is killed after the first epoch",
        "the trial goes on on the other node, and no epoch counts twice",
        _kill_raylet,
        _needs_no_other_cluster,
    ),
    Fault(
        "head-killed",
        "the head node of the cluster is killed; `graft resume` follows on a new one",
        "the run ends with one line, and what had ended is not trained again",
        _kill_head,
        _needs_no_other_cluster,
    ),
)
