"""Keeps the relay of a run alive: one that dies or hangs is started again, a few times, and the user is told."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from graft.core.clock import Clock, SystemClock
from graft.core.errors import GraftError
from graft.journal.events import RelayEnded
from graft.tracking.relay_files import HUNG_S, RelayState, RelayStatus

PATIENCE_S = 2.0
"""A run that is over looks like one that hangs if it says nothing for longer."""


@dataclass(frozen=True)
class RestartPolicy:
    """How often, and after which pauses, a relay is started again.

    Attributes:
        most: restarts in a row.
        first_pause: seconds before the first; each further pause is twice as long.
        healthy: seconds after which a relay that lives counts as well again, so that the count starts anew.
        look: seconds between looks.
        patience: looks one after the other at which a relay that was stopped (SIGSTOP) is left alone.
        hung: the same of one that does nothing though nobody has stopped it: it may wait for an answer.
    """

    most: int = 5
    first_pause: float = 1.0
    healthy: float = 600.0
    look: float = 1.0
    patience: int = 30
    hung: int = round(HUNG_S)


class Relay(Protocol):
    """A relay process, as `relay.RelayProcess` is one."""

    @property
    def pid(self) -> int: ...

    @property
    def has_ended(self) -> bool: ...

    @property
    def has_died(self) -> bool:
        """Whether it has ended without saying why."""

    @property
    def progress(self) -> object:
        """Another value as long as it does anything."""

    @property
    def is_stopped(self) -> bool:
        """Whether it lives, but was stopped and does nothing."""

    def status(self) -> RelayStatus: ...

    def stop(self, timeout: float) -> None:
        """End it; after `timeout` seconds by force."""

    def drain(self, timeout: float) -> bool: ...


class RelaySupervisor:
    """Looks after the relay of one run, in a thread, until it is closed.

    Args:
        start: starts a relay.
        tell: hears of each end.
        policy: how often it is started again.
        clock: measures.
        sleep: for the seconds given.
    """

    def __init__(
        self,
        start: Callable[[], Relay],
        tell: Callable[[RelayEnded], object],
        policy: RestartPolicy | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._start, self._tell, self._sleep = start, tell, sleep
        self._policy, self._clock = policy or RestartPolicy(), clock or SystemClock()
        self._relay = start()
        self._since = self._clock.elapsed()
        self._restarts = self._in_a_row = self._stopped = self._still = 0
        self._progress: object = None
        self._due: float | None = None
        self._is_given_up = False
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self) -> "RelaySupervisor":
        """Begin to look, in a thread of its own; returns itself."""
        self._thread = threading.Thread(target=self._watch, name="graft-relay-watch", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Look no more; the relay goes on by itself."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def look(self, *, is_run_over: bool = False) -> None:
        """See whether the relay lives, and do what is due."""
        if self._due is not None:
            if self._clock.elapsed() >= self._due:
                self._start_again()
            return
        if self._is_given_up:
            return
        if not self._relay.has_ended:
            self._look_whether_it_works()
            return
        status = self._relay.status()
        # While the run goes on, one that was stopped is missing as much as one that has died.
        if self._relay.has_died or (status.state is RelayState.UNSYNCED and not is_run_over):
            self._restart_later(status.message)
        elif status.state is RelayState.FAILED:
            self._is_given_up = True
            self._tell(RelayEnded(status.message, self._restarts, is_restarted=False))

    def drain(self, timeout: float, on_wait: Callable[[str], object]) -> bool:
        """Wait at most `timeout` seconds until everything is in the store; true if it is.

        The run must be over, and this closed. Who waits for longer than two seconds says for what.
        """
        began, is_told = self._clock.elapsed(), False
        while (waited := self._clock.elapsed() - began) < timeout:
            step = min(self._policy.look, timeout - waited)
            if self._due is not None:
                self._sleep(step)
            elif self._relay.drain(step):
                return True
            self.look(is_run_over=True)
            if self._relay.has_ended and self._due is None:
                return False
            if not is_told and waited >= PATIENCE_S:
                is_told = True
                on_wait(f"for the relay (process {self._relay.pid}) {self._still_to_do()}")
        return False

    def _still_to_do(self) -> str:
        records = "bring the last records to MLflow"
        is_starting = self._relay.status().state is RelayState.STARTING
        return f"to start, which takes some seconds, and to {records}" if is_starting else f"to {records}"

    def _look_whether_it_works(self) -> None:
        """Looks are counted, not seconds: a machine or a driver that was stopped itself has seen nothing meanwhile."""
        before, self._progress = self._progress, self._relay.progress
        self._stopped = self._stopped + 1 if self._relay.is_stopped else 0
        self._still = self._still + 1 if self._progress == before else 0
        if self._stopped < self._policy.patience and self._still < self._policy.hung:
            return
        looks, what = (self._stopped, "was stopped") if self._stopped else (self._still, "has done nothing")
        self._stopped = self._still = 0
        self._relay.stop(0.0)  # it may hold a lock of the database
        seconds = looks * self._policy.look
        self._restart_later(f"the relay (process {self._relay.pid}) {what} for {seconds:.0f} s, and was ended")

    def _restart_later(self, reason: str) -> None:
        now = self._clock.elapsed()
        if now - self._since >= self._policy.healthy:
            self._in_a_row = 0
        self._is_given_up = self._in_a_row >= self._policy.most
        if not self._is_given_up:
            self._due = now + self._policy.first_pause * 2**self._in_a_row
        self._tell(RelayEnded(reason, self._restarts, is_restarted=not self._is_given_up))

    def _start_again(self) -> None:
        self._due, self._since = None, self._clock.elapsed()
        self._restarts += 1
        self._in_a_row += 1
        try:
            self._relay = self._start()
        except (GraftError, OSError) as error:
            self._restart_later(f"the relay cannot be started ({error})")

    def _watch(self) -> None:
        # A journal that another writer has taken over, or whose disk is gone, ends the run elsewhere.
        with contextlib.suppress(GraftError, ValueError):
            while not self._done.wait(self._policy.look):
                self.look()
