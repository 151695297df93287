"""Looks at the nodes of the cluster while a run works, and says what becomes of them (Ray 2.60).

Ray says nothing of a node whose cable is pulled until its head has given it up, which takes a minute and more; until
then all that is seen of it are trials that take long.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ray
from ray._private.state import state as cluster_state
from ray.exceptions import RayError

from graft.core.errors import GraftError
from graft.workers.cluster_address import cluster_address
from graft.workers.nodes.judge import NodeJudge, NodeLook, NodeNews

_LOG = logging.getLogger(__name__)
LOOK_S, ANSWER_S = 3.0, 2.5

Tell = Callable[[NodeNews], object]


@contextlib.contextmanager
def watch_nodes(tell: Tell) -> Iterator[None]:
    """While the block runs, look at the nodes of the cluster; in a session of one's own there is nothing to see."""
    if cluster_address() is None:
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(tell, done), name="graft-node-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()  # not waited for: where the head is gone, a look lasts


def _watch(tell: Tell, done: threading.Event) -> None:
    judge = NodeJudge()
    while not done.wait(LOOK_S):
        try:
            news = judge.look(look(), time.monotonic())
        except (RayError, OSError, RuntimeError) as error:  # the head is gone, which `watch_head` tells
            _LOG.debug("the nodes cannot be seen: %s", error)
            continue
        for one in news:
            try:
                if not done.is_set():
                    tell(one)
            except (GraftError, RayError, OSError, RuntimeError, ValueError) as error:
                _LOG.warning("node %s is %s, but that cannot be told: %s", one.address, one.state, error)


def look() -> dict[str, NodeLook]:
    """All nodes, by Ray's ids."""
    nodes, leaving = ray.nodes(), leaving_nodes()
    alive = [(node["NodeManagerAddress"], int(node["NodeManagerPort"])) for node in nodes if node["Alive"]]
    answering = asyncio.run(_answering(alive))
    return {node["NodeID"]: _look_at(node, answering, leaving) for node in nodes}


def leaving_nodes() -> dict[str, float]:
    """Seconds until nodes are taken away, by Ray's ids; 0 where nobody has said when."""
    now = time.time()
    drained = cluster_state.get_draining_nodes()
    return {name: max(0.0, until / 1000 - now) if until else 0.0 for name, until in drained.items()}


def _look_at(node: Mapping[str, Any], answering: set[tuple[str, int]], leaving: Mapping[str, float]) -> NodeLook:
    place = node["NodeManagerAddress"], int(node["NodeManagerPort"])
    host, is_alive = str(node.get("NodeManagerHostname", "")), bool(node["Alive"])
    return NodeLook(place[0], host, is_alive, place in answering, leaving.get(node["NodeID"]))


async def _answering(places: list[tuple[str, int]]) -> set[tuple[str, int]]:
    found = await asyncio.gather(*(_answers(*place) for place in places))
    return {place for place, answers in zip(places, found, strict=True) if answers}


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), ANSWER_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
