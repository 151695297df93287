"""The torch process group of a set of workers, set up as often as needed without new processes (torch 2.13).

Ray Train can do this too, once a start; but its backend imports torch into two processes that never compute, half a GB
and two to four seconds each.
"""

from collections.abc import Callable

import torch.distributed as dist

Address = tuple[str, int]


def set_up(backend: str, rank: int, size: int, host: str, meet: Callable[[Address | None], Address | None]) -> bool:
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
    leave()
    store = None
    if rank == 0:
        store = dist.TCPStore(host, 0, size, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    address = meet((host, store.port) if store else None)
    if address is None:
        return False
    store = store or dist.TCPStore(*address, size, is_master=False)  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    return True


def leave() -> None:
    """Leave the process group; ranks that wait for this one in a collective operation get an error."""
    if dist.is_initialized():
        dist.destroy_process_group()
