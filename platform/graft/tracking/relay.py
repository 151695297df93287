"""The process that ships an experiment's journal to MLflow, so that the driver never waits for a server.

``python -m graft.tracking.relay EXPERIMENT_DIR --experiment NAME [--uri URI] [--artifact-root DIR] [--linger SECONDS]``

It ends with 0 when the experiment has finished, or its driver is gone, and everything is in the store; with 75 when it
gave up on a store that does not answer (``graft track sync`` finishes later); with 1 when the store can never be used
like this.
"""

import argparse
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from graft.core.credentials import RedactingFormatter
from graft.core.errors import GraftError, TrackingError
from graft.core.private_files import open_private
from graft.core.process_identity import ProcessIdentity
from graft.journal.journal import is_being_written, journal_path
from graft.journal.locking import PATIENCE_S, exclusive, holder
from graft.tracking.environment import python_module, relay_environment, settle_environment
from graft.tracking.giving_way import GivingWay
from graft.tracking.relay_files import RelayFiles, RelayState, RelayStatus
from graft.tracking.target import Target

_UNSYNCED_EXIT = 75
_LINGER = 600.0
_LOOK_S = 0.1
# After so many seconds, a relay that is still being loaded gives way to nobody any more.
_LOADING_S = 20.0


class RelayProcess:
    """A running relay, seen from the driver."""

    def __init__(self, process: subprocess.Popen[bytes], files: RelayFiles) -> None:
        self._process = process
        self._files = files

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    @property
    def has_died(self) -> bool:
        """Whether it has ended without saying why: killed, or by a bug."""
        return self.has_ended and not self._files.read_status().state.is_terminal

    @property
    def progress(self) -> tuple[float, int]:
        """Another value as long as it does anything: its loop turns, or it uses the CPU."""
        return self._files.last_turn(), ProcessIdentity.of(self.pid).ticks

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped (SIGSTOP): it neither ends nor does anything."""
        return not self.has_ended and ProcessIdentity.of(self.pid).is_stopped

    def status(self) -> RelayStatus:
        """How far it is; a process that died without a word is FAILED."""
        status = self._files.read_status()
        if self.has_died:
            code = self._process.returncode
            how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
            message = f"the relay {how}; see {self._files.log}"
            return RelayStatus(RelayState.FAILED, message, status.offset, status.refused)
        return status

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for it to end by itself; true if everything is in the store.

        Record `ExperimentFinished` or close the journal first. On false it goes on trying for a while by itself.
        """
        try:
            return self._process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return False

    def stop(self, timeout: float = 5.0) -> None:
        """End it now; what is not in the store stays in the journal for ``graft track sync``."""
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_relay(experiment_dir: Path, target: Target, linger: float = _LINGER) -> RelayProcess:
    """Start a relay in a session of its own, so that Ctrl-C in the terminal does not reach it.

    Start it after `ExperimentStarted` has been recorded: on a resumed experiment it would otherwise find the last
    record of the run before, and end at once.

    Args:
        experiment_dir: the experiment; the journal and the files to upload lie there.
        target: where to ship to.
        linger: seconds to go on trying after the driver's end when the store does not answer.

    Raises:
        TrackingError: the target can never work.
    """
    target.check()
    files = RelayFiles(experiment_dir.absolute())
    files.directory.mkdir(parents=True, exist_ok=True)
    files.write_status(RelayStatus(RelayState.STARTING))
    command = [*python_module("graft.tracking.relay"), str(files.experiment_dir)]
    # With `=`, because a name may begin with a dash.
    command += [f"--experiment={target.experiment}", f"--linger={linger}"]
    if target.artifact_root is not None:
        command.append(f"--artifact-root={target.artifact_root.absolute()}")
    with os.fdopen(open_private(files.log, os.O_WRONLY | os.O_APPEND), "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(target), start_new_session=True
        )
    return RelayProcess(process, files)


def sync(experiment_dir: Path, target: Target, restart: bool = False) -> RelayStatus:
    """Ship what a journal holds, once, in this process; the state is DONE, or the error says why not.

    A relay is replaced that waits for the store though the run has ended (its login and its packages are those of the
    run, this process may have others), or that was stopped or hangs, and would never end.

    Args:
        experiment_dir: the experiment.
        target: where to ship to.
        restart: ship everything, not only what has not been shipped there yet; for a store that has lost it.

    Raises:
        TrackingError: the store does not answer or cannot be used, or a relay is at work on this experiment.
        ArtifactError: there is no journal, or it is damaged.
    """
    settle_environment()
    from graft.tracking.mlflow.shipping import Shipper  # MLflow takes seconds to import; the driver never needs it here

    files = RelayFiles(experiment_dir.absolute())
    is_run_over = not is_being_written(journal_path(experiment_dir))
    with exclusive(files.lock, wait=is_run_over and _gets_nowhere(files) and _dismiss(files)) as held:
        if not held:
            raise TrackingError(f"a relay is shipping {experiment_dir.name} already; wait for it to end")
        files.show_turn()
        shipper = Shipper(files.experiment_dir, target)
        if restart:
            shipper.restart()
        status = shipper.ship()
    if status.state is not RelayState.DONE:
        raise TrackingError(status.message)
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a relay in this process; returns its exit code."""
    options = _parser().parse_args(arguments)
    _log_to_standard_error()
    stopping, giving_way = threading.Event(), GivingWay()

    def give_way(lag: float) -> None:
        giving_way(math.inf if stopping.is_set() else lag)  # whoever asks it to end waits for the lock

    def end(*_: object) -> None:
        stopping.set()
        give_way(0.0)

    signal.signal(signal.SIGTERM, end)
    files = RelayFiles(options.experiment_dir.absolute())
    target = Target(options.uri, options.experiment, options.artifact_root)
    try:
        status = _follow(files, target, options.linger, stopping, give_way)
    except GraftError as error:
        logging.exception("the relay cannot go on")
        files.write_status(RelayStatus(RelayState.FAILED, str(error)))
        return 1
    return 0 if status.state is RelayState.DONE else _UNSYNCED_EXIT


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _follow(
    files: RelayFiles, target: Target, linger: float, stopping: threading.Event, give_way: Callable[[float], None]
) -> RelayStatus:
    # MLflow takes seconds to load, of which the first trials have more need; but not for ever.
    give_way(0.0)
    too_long = threading.Timer(_LOADING_S, give_way, (math.inf,))
    too_long.daemon = True
    too_long.start()
    from graft.tracking.mlflow.shipping import Patience, Shipper  # see `sync`

    too_long.cancel()
    # The relay of a run before may be waiting for a server that this run has replaced; the newest one goes on.
    _dismiss(files)
    with exclusive(files.lock):
        files.show_turn()
        return Shipper(files.experiment_dir, target).follow(Patience(stopping.wait, linger, give_way=give_way))


def _gets_nowhere(files: RelayFiles) -> bool:
    """Whether the relay at work waits for the store, was stopped (SIGSTOP), or hangs."""
    at_work = holder(files.lock)
    is_stopped = at_work is not None and at_work.is_stopped
    return is_stopped or files.read_status().state is RelayState.WAITING or files.is_hung(time.time())


def _dismiss(files: RelayFiles) -> bool:
    """Ask the relay at work to end, and end it if it hangs; false if there is none, or it runs on another machine."""
    previous = holder(files.lock)
    if previous is None or not previous.send(signal.SIGTERM):
        return False
    if previous.is_stopped:
        previous.send(signal.SIGCONT)  # so that it hears that it is to end
    if _hangs(files, previous):
        previous.send(signal.SIGKILL)  # it hears nothing any more
    return True


def _hangs(files: RelayFiles, process: ProcessIdentity) -> bool:
    """Whether its loop stands still, and it uses no CPU either, as one would that sends a large file."""
    ticks, until = process.ticks, time.monotonic() + PATIENCE_S
    while files.is_hung(time.time()) and process.ticks == ticks:
        if time.monotonic() >= until:
            return True
        time.sleep(_LOOK_S)
    return False


def _environment(target: Target) -> dict[str, str]:
    """The URI goes by the environment: it may hold a password, and every user can read a command line."""
    return {**relay_environment(), "MLFLOW_TRACKING_URI": target.uri}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m graft.tracking.relay", description="Ship a journal to MLflow.")
    parser.add_argument("experiment_dir", type=Path, help="directory of the experiment")
    parser.add_argument("--experiment", required=True, help="name of the MLflow experiment")
    parser.add_argument("--uri", default=os.environ.get("MLFLOW_TRACKING_URI"), help="default: MLFLOW_TRACKING_URI")
    parser.add_argument("--artifact-root", type=Path, help="directory for artifacts, for an embedded store")
    parser.add_argument("--linger", type=float, default=_LINGER, help="seconds to try on when the driver has ended")
    return parser


if __name__ == "__main__":
    sys.exit(main())
