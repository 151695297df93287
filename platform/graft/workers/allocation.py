"""How the machine, or the cluster, is shared among trials. A pure decision: what is there in, the shares out."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from graft.core.errors import ResourceError
from graft.spec.resources import ResourcesSpec
from graft.spec.training import FitSpec

DECODING_SHARE = 0.25
"""Of the CPUs, where samples are streamed."""


ACCELERATOR = "ray.io/accelerator-type"
"""Ray's label of the kind of GPU that a node has."""


@dataclass(frozen=True)
class Node:
    """What one node has."""

    cpus: float
    gpus: float = 0.0
    gpu_type: str = ""


@dataclass(frozen=True)
class ClusterResources:
    """What a session can hand out, and whether it gets more nodes when they are asked for.

    Attributes:
        nodes: that are there.
        can_grow: whether something adds nodes.
        largest: all nodes that there can be at once, where that is known.
    """

    nodes: tuple[Node, ...]
    can_grow: bool = False
    largest: tuple[Node, ...] = ()

    def at_its_largest(self, most: int | None = None) -> "ClusterResources":
        """What is divided: a cluster that grows as large as it can become, and as a job allows; else what is there.

        Args:
            most: workers that a job asks for at once; None is no limit.
        """
        if not self.can_grow or not self.largest:
            return self
        return ClusterResources(self.largest[:most])

    @property
    def cpus(self) -> float:
        """CPUs of all nodes together."""
        return sum(node.cpus for node in self.nodes)

    @property
    def gpus(self) -> float:
        """GPUs of all nodes together."""
        return sum(node.gpus for node in self.nodes)

    @property
    def most_cpus(self) -> float:
        """CPUs of the largest node: no process can have more."""
        return max((node.cpus for node in self.nodes), default=0.0)

    @property
    def most_gpus(self) -> float:
        """GPUs of the node that has most."""
        return max((node.gpus for node in self.nodes), default=0.0)

    def of_gpu_type(self, name: str | None) -> "ClusterResources":
        """The nodes with one kind of GPU; all of them if none is named.

        Raises:
            ResourceError: there is none, and none can come.
        """
        if name is None:
            return self
        mine = [tuple(node for node in nodes if node.gpu_type == name) for nodes in (self.nodes, self.largest)]
        if not any(mine) and (not self.can_grow or self.largest):
            others = (
                ", ".join(sorted({node.gpu_type for node in (*self.nodes, *self.largest)} - {""})) or "none of any type"
            )
            raise ResourceError(
                f"resources.gpu_type is {name}, but the nodes of this session have {others}; name another"
            )
        return replace(self, nodes=mine[0], largest=mine[1])

    def without_decoding(self) -> "ClusterResources":
        """What is left for training where samples are streamed: a quarter of the CPUs decodes, one at least.

        Trials that hold every CPU would wait for samples that nobody can decode.

        Raises:
            ResourceError: there is no CPU for it.
        """
        if self.can_grow:
            return self
        if self.cpus < 2:
            raise ResourceError(
                f"samples are streamed, and need a CPU beside those that train, but this session has {self.cpus:g}; "
                "give it more, or set data.store to disk"
            )
        left = max(1, int(self.cpus * DECODING_SHARE))
        nodes = []
        for node in sorted(self.nodes, key=lambda one: (one.gpus, -one.cpus)):
            taken = min(left, int(node.cpus) if not node.gpus else max(int(node.cpus) - 1, 0))
            nodes.append(replace(node, cpus=node.cpus - taken))
            left -= taken
        return replace(self, nodes=tuple(nodes))

    def room(self, cpus: float, gpus: float) -> int:
        """How many processes of this size there is room for."""
        return sum(min(_times(node.cpus, cpus), _times(node.gpus, gpus) if gpus else 10**6) for node in self.nodes)


@dataclass(frozen=True)
class Allocation:
    """What one trial occupies, and how many run at once.

    Attributes:
        cpus: of all its workers together.
        gpus: of all its workers together.
        concurrent: trials at once.
        workers: processes that train one trial.
        placement: whether they share nodes.
        most_cpus: the most that one process can have.
        gpu_type: the only kind of GPU that its nodes may have; empty if any will do.
    """

    cpus: float
    gpus: float
    concurrent: int
    workers: int = 1
    placement: Literal["pack", "spread"] = "pack"
    most_cpus: float = math.inf
    gpu_type: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Of the nodes that it may be on."""
        return {ACCELERATOR: self.gpu_type} if self.gpu_type else {}

    @property
    def cpus_per_worker(self) -> float:
        return self.cpus / self.workers

    @property
    def gpus_per_worker(self) -> float:
        return self.gpus / self.workers

    @property
    def num_threads(self) -> int:
        """Torch threads of a worker: its CPUs, so that trials never fight for cores."""
        return max(1, int(self.cpus_per_worker))

    @property
    def all_threads(self) -> int:
        """Threads of one process that has all that the trials had, as far as that is on one node."""
        return max(1, int(min(self.cpus * self.concurrent, self.most_cpus)))


def allocate(spec: ResourcesSpec, there: ClusterResources, trials: int | None) -> Allocation:
    """Divide a session's resources.

    Args:
        spec: what the job asks for.
        there: what the session has. If it grows when asked to, nothing is too much.
        trials: how many there will be at most; None is no limit.

    Raises:
        ResourceError: one trial asks for more than there is.
    """
    there = there.of_gpu_type(spec.gpu_type)
    workers = spec.workers
    cpus, gpus = _of_a_worker(spec, there)
    if not there.can_grow:
        _require("cpus", cpus, workers, (there.cpus, there.most_cpus))
        _require("gpus", gpus, workers, (there.gpus, there.most_gpus))
        _require_room(spec, there.room(cpus, gpus))
    fit = there.room(cpus, gpus) // workers
    if there.can_grow:  # nobody knows to what: it is told by what is asked for
        fit = max(fit, spec.concurrent_trials or trials or 1)
    concurrent = max(1, min(fit, spec.concurrent_trials or fit, trials or fit))
    if spec.cpus_per_worker == "auto":
        wanted = range(int(there.most_cpus), 1, -1)
        cpus = next((float(more) for more in wanted if there.room(more, gpus) >= concurrent * workers), cpus)
    # A process with GPUs is on a node that has some, however many CPUs others have.
    most_cpus = max([cpus, *(node.cpus for node in there.nodes if node.gpus >= min(1.0, gpus))])
    kind = spec.gpu_type or ""
    return Allocation(cpus * workers, gpus * workers, concurrent, workers, spec.placement, most_cpus, kind)


def on_whole_nodes(trials: int | None, spec: ResourcesSpec, there: ClusterResources) -> int | None:
    """Trials at once, where nodes come for them: so many more that no GPU of a node is idle from the start.

    Args:
        trials: that are worth nodes; None is no limit.
        spec: what the job asks for; a number of its own is kept.
        there: the nodes that there can be.
    """
    cpus, gpus = _of_a_worker(spec, there)
    if trials is None or spec.concurrent_trials or spec.workers > 1 or not gpus or there.can_grow:
        return trials
    rooms = (replace(there, nodes=(node,)).room(cpus, gpus) for node in there.nodes)
    each = min((room for room in rooms if room), default=1)
    return each * math.ceil(trials / each)


def allocate_fit(spec: ResourcesSpec, fit: FitSpec, there: ClusterResources) -> Allocation:
    """What the final fit occupies: its workers, each as large as all of them can be.

    Raises:
        ResourceError: it can never begin, not even with as few workers as it may have.
    """
    workers = spec.workers if fit.workers == "auto" else fit.workers
    try:
        return allocate(spec.model_copy(update={"workers": workers}), there, trials=1)
    except ResourceError:
        if fit.min_workers is None or fit.min_workers == workers:
            raise
    fewest = allocate(spec.model_copy(update={"workers": fit.min_workers}), there, trials=1)
    return replace(
        fewest, cpus=fewest.cpus_per_worker * workers, gpus=fewest.gpus_per_worker * workers, workers=workers
    )


def _of_a_worker(spec: ResourcesSpec, there: ClusterResources) -> tuple[float, float]:
    """CPUs, at the least, and GPUs."""
    cpus = 1.0 if spec.cpus_per_worker == "auto" else float(spec.cpus_per_worker)
    gpus = (1.0 if there.gpus else 0.0) if spec.gpus_per_worker == "auto" else float(spec.gpus_per_worker)
    return cpus, gpus


def _require(kind: str, each: float, workers: int, there: tuple[float, float]) -> None:
    """`there` is what the session has, and what its largest node has."""
    total, largest = there
    asked = f"{each:g}" if workers == 1 else f"{each:g} for each of {workers} workers"
    if each * workers > total:
        told = f"this session has {total:g}; ask for less or add a node"
    elif each > largest:
        told = f"the largest node of this session has {largest:g}; ask for less or add a larger node"
    else:
        return
    raise ResourceError(f"resources.{kind}_per_worker is {asked}, but {told}")


def _require_room(spec: ResourcesSpec, room: int) -> None:
    if room < spec.workers:
        raise ResourceError(
            f"{spec.workers} workers of this size were asked for, but the nodes of this session have room for {room}; "
            "lower resources.cpus_per_worker or resources.gpus_per_worker, or add a node"
        )


def _times(there: float, each: float) -> int:
    # Ray counts in ten-thousandths.
    return round(there * 10_000) // round(each * 10_000)
