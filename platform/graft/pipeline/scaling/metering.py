"""What is looked at while a run works: the driver's machine, and the nodes of a cluster that grows."""

from collections.abc import Iterator
from contextlib import contextmanager

from graft.experiments.progress import Progress
from graft.journal.journal import Journal
from graft.spec.job import Job
from graft.tracking.system_sampling import system_sampling
from graft.workers.nodes.meter import counting_nodes


@contextmanager
def machines_looked_at(journal: Journal, job: Job, progress: Progress) -> Iterator[None]:
    """Journal how busy the driver's machine is, and what nodes there are and have cost."""
    with system_sampling(journal), counting_nodes(journal.append, job.resources.price, progress.nodes_counted):
        yield
