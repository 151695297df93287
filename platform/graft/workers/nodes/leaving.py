"""Whether the node of a process that trains is about to be taken away, asked by the process itself (Ray 2.60).

A cloud says so half a minute to two minutes before: who hears of it tells Ray (`ray drain-node`, the autoscaler,
KubeRay), and Ray sends no new work there. What runs there has until then to leave its state on the disk.
"""

import contextlib
import threading
from collections.abc import Collection, Iterator

import ray
from ray.exceptions import RayError

from graft.core.errors import NodeLeaving
from graft.workers.nodes.watch import leaving_nodes

ASK_S = 3.0


class LeavingNotice:
    """Turns true once, and costs nothing to ask.

    Args:
        nodes: any of these, by Ray's ids.
    """

    def __init__(self, nodes: Collection[str]) -> None:
        self._nodes = frozenset(nodes)
        self._seconds: float | None = None

    def is_given(self) -> bool:
        """Whether one of the nodes is about to be taken away."""
        return self._seconds is not None

    def look(self) -> None:
        """Ask the head."""
        found = [seconds for node, seconds in leaving_nodes().items() if node in self._nodes]
        if found:
            self._seconds = min(found)

    def as_error(self, what: str) -> NodeLeaving:
        """What whoever waits for this process is told.

        Args:
            what: is left on the disk.
        """
        return NodeLeaving(f"its node will be taken away; {what} is on the disk, and goes on elsewhere")


@contextlib.contextmanager
def leaving_notice(nodes: Collection[str] = ()) -> Iterator[LeavingNotice]:
    """While the block runs, ask now and then whether nodes are to leave: this process's own if none are named."""
    if not ray.is_initialized():
        yield LeavingNotice(())
        return
    notice, done = LeavingNotice(nodes or (ray.get_runtime_context().get_node_id(),)), threading.Event()
    thread = threading.Thread(target=_watch, args=(notice, done), name="graft-leaving", daemon=True)
    thread.start()
    try:
        yield notice
    finally:
        done.set()


def _watch(notice: LeavingNotice, done: threading.Event) -> None:
    while not notice.is_given() and not done.wait(ASK_S):
        with contextlib.suppress(RayError, OSError, RuntimeError):  # the head is away, and cannot say so
            notice.look()
