"""How long a store that does not answer is waited for, and who hears of it.

A first contact is refused after a few seconds, so that a wrong name is told at once. Once a store has answered, a
connection that is cut is no reason to lose what has been read: the same is asked again, ever more seldom.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from graft.core.passing_errors import is_used_up
from graft.data.remote.faults import Fault, sorted_fault

T = TypeVar("T")

FIRST_CONTACT_S = 3.0
READING_S = 90.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0


@dataclass(frozen=True)
class Patience:
    """How long to ask again.

    Attributes:
        seconds: from the first failure on.
        wait: does the waiting.
        now: seconds of a clock.
    """

    seconds: float
    wait: Callable[[float], object] = time.sleep
    now: Callable[[], float] = time.monotonic


ONCE = Patience(0.0)
FIRST_CONTACT = Patience(FIRST_CONTACT_S)
READING = Patience(READING_S)


def asked(ask: Callable[[], T], patience: Patience) -> T:
    """The answer of a store, which is asked again while the network is at fault.

    Raises:
        StoreError: it has not answered in time, or has said no.
        Exception: what no store is to blame for, as it was raised.
    """
    began: float | None = None
    pause = _FIRST_WAIT_S
    while True:
        try:
            return ask()
        except Exception as error:
            fault = sorted_fault(error)
            if fault is None or is_used_up(error):
                raise
            began = patience.now() if began is None else began
            if fault.fault is not Fault.NETWORK or patience.now() - began + pause > patience.seconds:
                raise fault from error
            patience.wait(pause)
            pause = min(2 * pause, _LONGEST_WAIT_S)
