"""Which files of an experiment go to a home that is a store, and which are fetched when somebody asks for it.

Its journal has a way of its own (`graft.journal.store`), and so have weights, bundle and exports: they are written
where they are made, and fetched where they are needed. What is left is small. Files of a relay, heartbeats, and Ray's
own stay on the machine that made them. In a home that is a directory there is nothing to do.
"""

import logging
from pathlib import Path

from graft.core.errors import GraftError
from graft.core.stores.copy import Copy
from graft.journal.store.replica import Replica

_LOG = logging.getLogger(__name__)

_STAY = ("journal", "checkpoints", "heartbeats", "tune", "ray-logs", "tracking", "final")
_JOURNAL = "journal."
_STAGES = "stages"


def is_sent(name: str) -> bool:
    """Whether a file, by its path below the experiment, goes to the store with the others."""
    top = name.partition("/")[0]
    return top not in _STAY and not top.startswith(_JOURNAL) and not name.endswith(".lock")


def is_fetched(name: str) -> bool:
    """Whether a file, by its path below the experiment, is fetched whenever somebody asks for the experiment."""
    top, _, rest = name.partition("/")
    return is_sent(name) and (not rest or top == _STAGES)


def send(directory: Path) -> None:
    """Write what is new in an experiment to the store.

    Raises:
        GraftError: the store does not take it.
    """
    if (copy := Copy.of(directory)) is not None:
        copy.publish_below(directory, is_sent)


def send_if_possible(directory: Path) -> None:
    """`send` for a run that has failed: why it has is what the user must hear."""
    try:
        send(directory)
    except GraftError as error:
        _LOG.warning("%s", error)


def fetch(directory: Path, journal: Path) -> None:
    """Have the journal and the small files of an experiment here, unless it is this machine that runs it.

    Raises:
        GraftError: the store does not answer.
    """
    replica = Replica.of(journal)
    if replica is not None and replica.pull():
        replica.copy.fetch_below(directory, is_fetched)
