"""Whether a cluster can ever hold what a job asks for. Pure."""

from collections.abc import Iterator

from graft.clusters.autoscaling.gang import Gang, room_for
from graft.clusters.node_types import ClusterNodes, NodeType
from graft.clusters.violation import Violation


def gang_violations(gang: Gang, cluster: ClusterNodes, key: str) -> Iterator[Violation]:
    """Why a gang finds no room, though all of the cluster is free; nothing if it does.

    Args:
        gang: what is placed together.
        cluster: the nodes that there may be.
        key: what of the job asks for it.
    """
    suiting = [one for one in cluster.workers if gang.suits(one)]
    if not suiting:
        wanted = ", ".join(f"{name}: {value}" for name, value in gang.labels.items())
        known = sorted({one.labels[name] for one in cluster.workers for name in gang.labels if name in one.labels})
        has = f"they have {', '.join(known)}" if known else "none says what it has"
        fix = f"add one, or label it `{wanted}`"
        yield Violation(key, f"asks for {' '.join(gang.labels.values())}, but no node type has {wanted} ({has})", fix)
        return
    for kind, amount in gang.resources.items():
        largest = max((one.resources.get(kind, 0.0) for one in suiting), default=0.0)
        if amount and not largest:
            yield Violation(key, f"asks for {amount:g} {kind}, but no node type has any", f"add one with {kind}")
            return
        if amount > largest:
            told = f"asks for {amount:g} {kind} in a worker, but the largest node has {largest:g}"
            yield Violation(key, told, "ask for less, or add a larger node type")
            return
    fitting = [one for one in suiting if room_for(one.resources, gang.resources)]
    if not fitting:
        yield Violation(
            key, f"asks for {gang}, but no node type has all of that", "ask for less, or add a larger node type"
        )
        return
    room = most_bundles(gang, cluster, fitting)
    if room < gang.workers:
        names = ", ".join(f"{one.name} ({one.most})" for one in fitting)
        told = f"asks for {gang}, but max_workers of {names} leave room for {room}"
        yield Violation(key, told, "raise max_workers, or ask for fewer workers")


def most_bundles(gang: Gang, cluster: ClusterNodes, fitting: list[NodeType] | None = None) -> int:
    """The most bundles of a gang that all nodes together hold, within the bound on all workers."""
    kinds = cluster.workers if fitting is None else fitting
    rooms = sorted((room_for(one.resources, gang.resources) for one in kinds for _ in range(one.most)), reverse=True)
    return sum(rooms[: cluster.most])


def storage_violations(cluster: ClusterNodes) -> Iterator[Violation]:
    """Spot nodes that take with them what a run has kept."""
    spot = [one.name for one in cluster.workers if one.is_spot]
    if spot and not cluster.has_shared_home:
        told = f"is on no shared storage, but {', '.join(spot)} may be taken away with their disks"
        yield Violation("GRAFT_HOME", told, "mount shared storage, or use a home in a store")
