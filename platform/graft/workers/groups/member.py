"""One worker of a worker group: does orders until it is sent away. Runs as the train function of a Ray Train run."""

import contextlib
import os
import threading
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray import cloudpickle
from ray.exceptions import RayError
from ray.util import get_current_placement_group

from graft.core.errors import GraftError, NodeLeaving
from graft.workers.groups.channel import Channel, StopBarriers, WorkFunction, handle_commands
from graft.workers.groups.host import WorkerConfig
from graft.workers.groups.messages import Ended, Member, Order, Ticket, WorkerLocation
from graft.workers.groups.process_group import leave_process_group, set_up_process_group

EXIT_CODE_WHEN_TERMINATED, EXIT_CODE_WHEN_LEAVING = 70, 71


def serve(config: WorkerConfig) -> None:
    """Do one order after the other; return when there will be no more."""
    torch.set_num_threads(config.shape.num_threads)
    worker = _Worker(config)
    loaded = worker.load()
    if loaded is None:
        return
    worker.join()
    ended: Ended | None = None
    while (order := worker.call("next_order", ended)) is not None:
        ended = worker.do(order, *loaded)


class _Worker:
    """This process's side of the coordination, of the process group, and of the order at hand."""

    def __init__(self, config: WorkerConfig) -> None:
        context = ray.train.get_context()
        incarnation = get_current_placement_group().id.hex()
        self._config = config
        self._size = context.get_world_size()
        self._member = Member(config.group, incarnation, context.get_world_rank())
        self._device = ray.train.torch.get_device()
        self._generation = -1
        self._barriers = StopBarriers()

    def call(self, method: str, *arguments: Any) -> Any:
        """Call the coordinator in the name of this worker, and wait for the answer."""
        return ray.get(getattr(self._config.coordinator, method).remote(self._member, *arguments))

    def load(self) -> tuple[WorkFunction, Any] | None:
        """The work function and the payload; what cannot be loaded here cannot be loaded anywhere."""
        try:
            return cloudpickle.loads(self._config.work), ray.get(self._config.payload)
        except Exception as error:
            self.call("give_up", f"the work function or its payload cannot be loaded ({_first_line(error)})")
            return None

    def join(self) -> None:
        self.call("join", WorkerLocation(self._size, ray.get_runtime_context().get_node_id()))
        threading.Thread(target=self._listen, name="graft-orders", daemon=True).start()
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)
        self._set_up_process_group(0)

    def do(self, order: Order, work: WorkFunction, payload: Any) -> Ended | None:
        """Run the work function. An error is told at once, then this rank leaves the process group: that frees the
        ranks that wait for it in a collective operation."""
        if order.generation != self._generation:
            self._set_up_process_group(order.generation)
        channel = Channel(
            order.ticket,
            (self._member.rank, self._size),
            self._device,
            self._barriers.of(order.ticket),
            self._send,
            self.call("nodes_of_group"),
            order.ended_by,
        )
        error = ""
        try:
            work(cloudpickle.loads(order.body), payload, channel)
        except NodeLeaving:
            self.call("leave")
            os._exit(EXIT_CODE_WHEN_LEAVING)  # as Train expects of a node that goes: it starts others elsewhere
        except BaseException as caught:
            error = _first_line(caught)
        if not error:
            return Ended(order.ticket)
        self.call("fail", Ended(order.ticket, error))
        leave_process_group()
        return None

    def _send(self, ticket: Ticket, number: int, value: Any) -> bool:
        body = cloudpickle.dumps(value) if self._member.rank == 0 else b""
        return bool(self.call("report", ticket, number, body))

    def _listen(self) -> None:
        with contextlib.suppress(RayError):  # the coordinator is gone, and what does the work will notice
            handle_commands(self.call, self._barriers, lambda: os._exit(EXIT_CODE_WHEN_TERMINATED))

    def _set_up_process_group(self, generation: int) -> None:
        host = ray.util.get_node_ip_address()
        backend = self._config.shape.backend
        rank = self._member.rank
        if set_up_process_group(
            backend, rank, self._size, host, lambda address: self.call("meet", generation, address)
        ):
            self._generation = generation


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else "no message"
    return text if isinstance(error, GraftError) else f"{type(error).__name__}: {text}"
