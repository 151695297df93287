"""Ships a journal to MLflow, from where it stopped to where the journal ends, however often it is interrupted."""

import json
import logging
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path

from graft.core.clock import Clock, SystemClock
from graft.core.errors import GraftError
from graft.journal.events import Event, ExperimentFinished, StageStarted
from graft.journal.journal import is_being_written, journal_path, read
from graft.tracking.mlflow.failures import explain, is_refusal
from graft.tracking.mlflow.store import open_store
from graft.tracking.mlflow.writer import Writer
from graft.tracking.projection.operations import Operation, batched
from graft.tracking.projection.projection import Projection
from graft.tracking.relay_files import Cursor, RelayFiles, RelayState, RelayStatus
from graft.tracking.target import Target

_LOG = logging.getLogger(__name__)
_BATCH = 500
_POLL = 0.3
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True)
class Patience:
    """How a shipper waits.

    Attributes:
        wait: sleeps for the seconds given, returns true as soon as the process is asked to stop.
        linger: seconds to go on trying when nothing more is written and the store does not answer.
        clock: measures them.
        give_way: told, before each batch, for how many seconds its oldest record has waited; infinite if somebody
            waits for this shipper. With 0 when nothing is left.
    """

    wait: Callable[[float], bool]
    linger: float = 0.0
    clock: Clock = field(default_factory=SystemClock)
    give_way: Callable[[float], None] = lambda lag: None


class Shipper:
    """Brings one journal to one target; the caller sees to it that there is one at a time.

    The journal is read in batches, each is turned into operations once, and the cursor moves when all of them are in
    the store. A failure leaves the rest of the batch for the next attempt; a crash repeats the batch, which changes
    nothing.
    """

    def __init__(self, experiment_dir: Path, target: Target) -> None:
        self._experiment_dir = experiment_dir
        self._target = target
        self._journal = journal_path(experiment_dir)
        self._files = RelayFiles(experiment_dir)
        self._cursor = Cursor(self._files.cursor, target)
        self._projection = Projection()
        self._writer: Writer | None = None
        self._pending: deque[Operation] = deque()
        self._read_to = 0
        self._finished = False
        self._status = RelayStatus(RelayState.STARTING)
        self._patience: Patience | None = None
        self._catch_up()

    def follow(self, patience: Patience) -> RelayStatus:
        """Ship until the experiment has finished or its driver is gone, and everything is in the store."""
        pause, ended_at = _FIRST_PAUSE, None
        self._patience = patience
        while True:
            self._files.show_turn()
            alive = is_being_written(self._journal)
            if self._attempt(alive):
                if self._finished or not alive:
                    return self._show(RelayState.DONE)
                self._show(RelayState.FOLLOWING)
                patience.give_way(0.0)
                pause, ended_at, nap = _FIRST_PAUSE, None, _POLL
            else:
                ended_at = self._ended_since(alive, ended_at, patience.clock)
                if ended_at is not None and patience.clock.elapsed() - ended_at >= patience.linger:
                    return self._show(RelayState.UNSYNCED, self._status.message)
                nap, pause = pause * random.uniform(1, 1.3), min(pause * 2, _LONGEST_PAUSE)
            if patience.wait(nap):
                return self._show(RelayState.UNSYNCED, f"stopped; {self._how_to_finish()}")

    def ship(self) -> RelayStatus:
        """Ship what the journal holds now, once; the state is DONE or UNSYNCED."""
        if self._attempt(is_being_written(self._journal)):
            return self._show(RelayState.DONE)
        return self._show(RelayState.UNSYNCED, self._status.message)

    def restart(self) -> None:
        """Forget what has been shipped, for a store that has lost it."""
        self._cursor.move(0)
        self._catch_up()

    def _catch_up(self) -> None:
        """Bring the projection to where the cursor stands, without sending anything."""
        if self._journal.exists() and self._journal.stat().st_size < self._cursor.offset:
            self._cursor.move(0)
        self._projection, self._read_to, self._finished = Projection(), 0, False
        for offset, event in read(self._journal):
            if offset > self._cursor.offset:
                return
            self._projection.operations(event)
            self._read_to, self._finished = offset, isinstance(event, ExperimentFinished)

    def _attempt(self, alive: bool) -> bool:
        """Ship all that is there; false if the store does not answer."""
        try:
            self._ship_whole_batches()
            if not alive and not self._finished and self._read_to:
                self._pending = deque(self._projection.abandoned())
                self._write_pending()
        except GraftError:
            raise
        except Exception as error:  # whatever a store, a proxy or an artifact service throws: it may work later
            _LOG.info("not everything could be sent", exc_info=True)
            self._show(RelayState.WAITING, f"{explain(error, self._target)}; {self._how_to_finish()}")
            return False
        return True

    def _ship_whole_batches(self) -> None:
        self._write_pending()
        records = read(self._journal, self._read_to)
        while batch := list(islice(records, _BATCH)):
            wanted = [operation for _, event in batch for operation in self._projection.operations(event)]
            self._read_to, self._finished = batch[-1][0], isinstance(batch[-1][1], ExperimentFinished)
            self._pending.extend(batched(wanted))
            # A database is made under a lock that the driver may wait for: nobody is to starve who holds it.
            self._open_writer()
            self._give_way([event for _, event in batch])
            self._write_pending()

    def _give_way(self, batch: Sequence[Event]) -> None:
        """The driver registers in the same store, and a run that has finished waits for this."""
        if self._patience is None:
            return
        is_awaited = any(
            isinstance(event, ExperimentFinished) or (isinstance(event, StageStarted) and event.stage == "register")
            for event in batch
        )
        waited = max(0.0, self._patience.clock.now() - batch[0].time)
        self._patience.give_way(math.inf if is_awaited else waited)

    def _write_pending(self) -> None:
        while self._pending:
            writer = self._open_writer()
            operation = self._pending[0]
            try:
                writer.write(operation)
            except Exception as error:
                if not is_refusal(error):
                    raise
                self._note_refusal(operation, error)
            self._pending.popleft()
            self._files.show_turn()
        if self._read_to > self._cursor.offset:
            self._cursor.move(self._read_to)

    def _open_writer(self) -> Writer:
        if self._writer is None:
            store = open_store(self._target)
            self._writer = Writer(
                store, self._projection.experiment_key, self._experiment_dir, self._projection.open_run
            )
        return self._writer

    def _note_refusal(self, operation: Operation, error: Exception) -> None:
        _LOG.warning("refused for good: %s", operation, exc_info=error)
        record = {"kind": type(operation).__name__, "operation": asdict(operation), "error": str(error)}
        with self._files.refused.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, default=str) + "\n")
        self._status = replace(self._status, refused=self._status.refused + 1)

    def _ended_since(self, alive: bool, since: float | None, clock: Clock) -> float | None:
        if alive and not self._finished:
            return None
        return clock.elapsed() if since is None else since

    def _how_to_finish(self) -> str:
        return f"`graft track sync {self._experiment_dir.name}` brings what is missing; nothing is lost"

    def _show(self, state: RelayState, message: str = "") -> RelayStatus:
        shown = replace(self._status, state=state, message=message, offset=self._cursor.offset)
        if shown != self._status:
            self._files.write_status(shown)
            self._status = shown
        return shown
