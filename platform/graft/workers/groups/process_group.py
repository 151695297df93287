"""The torch process group of workers on any nodes (torch 2.13), set up as often as needed without new processes.

Ray Train can do this too, once a start; but its backend imports torch into two processes that never compute, half a GB
and two to four seconds each.
"""

import os
from collections.abc import Callable

import torch.distributed as dist

Address = tuple[str, int]

INTERFACE = "GLOO_SOCKET_IFNAME"


def set_up_process_group(
    backend: str, rank: int, size: int, host: str, meet: Callable[[Address | None], Address | None]
) -> bool:
    """Leave the process group there may be, and join a new one; every rank calls it. Takes some hundredths of a second.

    Args:
        backend: of `torch.distributed`.
        rank: of this process.
        size: number of processes.
        host: address at which this process's node is reached.
        meet: brings the address of rank 0's store to all ranks: called with it by rank 0, with None by the others;
            returns it, or None if the others are gone.

    Returns:
        Whether there is a process group now.
    """
    leave_process_group()
    _listen_where_the_node_is_reached(host)
    store = None
    if rank == 0:
        store = dist.TCPStore(host, 0, size, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    address = meet((host, store.port) if store else None)
    if address is None:
        return False
    store = store or dist.TCPStore(*address, size, is_master=False)  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    return True


def leave_process_group() -> None:
    """Leave the process group; ranks that wait for this one in a collective operation get an error."""
    if dist.is_initialized():
        dist.destroy_process_group()


def interface_of(host: str) -> str | None:
    """The network interface of this machine that has an address; None if it has no such address."""
    # Ray brings it, and makes it importable only when it is imported itself.
    import psutil  # type: ignore[import-untyped]

    for name, addresses in psutil.net_if_addrs().items():
        if host in {one.address for one in addresses}:
            return str(name)
    return None


def _listen_where_the_node_is_reached(host: str) -> None:
    """Gloo takes the address that the machine's own name stands for, which is often the loopback (so Debian sets up
    /etc/hosts) and then no other node reaches; what the user has set stays."""
    if INTERFACE not in os.environ and (name := interface_of(host)):
        os.environ[INTERFACE] = name
