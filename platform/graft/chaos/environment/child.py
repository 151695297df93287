"""A graft command in a process of its own, as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from graft.chaos.fault import Broken, Missed

_POLL_S = 0.01
# Whatever takes so long hangs; nothing is concluded from how long anything else takes.
WATCHDOG_S = 600.0
# What a script starts in the background would be deaf to Ctrl-C, and so would its children; a terminal's are not.
_GRAFT = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); sys.argv[0] = 'graft'; "
    "from graft.cli.main import main; main()"
)


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        command: as typed.
        exit_code: of the process; negative is a signal.
        out: its standard output.
        err: its standard error.
    """

    command: str
    exit_code: int
    out: str
    err: str

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The JSON object it has printed.

        Raises:
            Broken: there is none.
        """
        for line in reversed(self.out.splitlines()):
            if line.startswith("{"):
                return dict(json.loads(line))
        raise Broken(f"`{self.command}` ended with {self.exit_code} and printed no JSON object: {self.last_words}")

    @property
    def last_words(self) -> str:
        """The end of what it said, in one line."""
        return " ".join((self.err or self.out).strip().splitlines()[-2:])[-300:]

    def require_success(self) -> "Ended":
        """Itself.

        Raises:
            Broken: it did not end with 0.
        """
        if self.exit_code != 0:
            told = self.summary.get("error", "") if self.out.strip() else ""
            raise Broken(f"`{self.command}` ended with {self.exit_code}: {told or self.last_words}")
        return self

    def require_one_line(self, exit_codes: Sequence[int] = (1, 3)) -> str:
        """What it said in its one line of error.

        Raises:
            Broken: it ended otherwise, or there is more than a line, or a bug.
        """
        if self.exit_code not in exit_codes:
            allowed = " or ".join(map(str, exit_codes))
            raise Broken(f"`{self.command}` ended with {self.exit_code}, but should with {allowed}: {self.last_words}")
        error = str(self.summary.get("error", ""))
        if not error or "\n" in error or "internal error" in error or "Traceback" in self.err:
            raise Broken(f"`{self.command}` did not end with one clear line: {error or self.last_words}")
        return error


class Child:
    """A running command. It leads a session of its own, so a Ctrl-C of the terminal is ours to send.

    Args:
        arguments: of `graft`.
        environment: of the process.
        directory: for what it says; must exist.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], directory: Path, program: str = _GRAFT
    ) -> None:
        self.command = f"graft {arguments[0]}"
        stamp = f"{time.time_ns()}-{arguments[0]}"
        self._out, self._err = directory / f"{stamp}.out", directory / f"{stamp}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            command = [sys.executable, "-P", "-c", program, *arguments]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=dict(environment), start_new_session=True
            )
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        """Of the command itself, which is the driver of its run."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def wait(self) -> Ended:
        """Until it ends.

        Raises:
            Broken: it hangs.
        """
        try:
            code = self._process.wait(WATCHDOG_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Broken(f"`{self.command}` did not end within {WATCHDOG_S:.0f} s") from None
        out, err = self._out.read_text(errors="replace"), self._err.read_text(errors="replace")
        return Ended(self.command, code, out, err)

    def wait_until(self, is_so: Callable[[], object], what: str) -> None:
        """Until a moment of its run.

        Raises:
            Missed: it ended before.
            Broken: it failed before, or hangs.
        """
        while not is_so():
            if self.has_ended and not is_so():
                ended = self.wait()
                if ended.exit_code:
                    raise Broken(f"`{self.command}` ended with {ended.exit_code} before {what}: {ended.last_words}")
                raise Missed(f"the run was over before {what}")
            if time.monotonic() - self.started > WATCHDOG_S:
                self.kill()
                raise Broken(f"`{self.command}` hung: {what} did not come within {WATCHDOG_S:.0f} s")
            time.sleep(_POLL_S)

    def pause(self, seconds: float) -> None:
        """Stop the driver, and nothing but the driver, for so long, as a debugger or a full terminal does."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the driver at once, and nothing but the driver."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Ask the driver, and nothing but the driver, to end."""
        self._process.terminate()

    def press_ctrl_c(self) -> None:
        """What a terminal does: the whole foreground group hears it."""
        os.killpg(self._process.pid, signal.SIGINT)
