"""Which processes hang, by the heartbeats they show. Pure: whoever looks says what is shown, and what time it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from graft.core.heartbeat import Heartbeat


@dataclass(frozen=True)
class HangLimits:
    """When a process hangs; all in seconds.

    Attributes:
        silence: without any heartbeat: it is stopped, or its machine is.
        still: without a step, at least.
        steps: without a step, in longest steps so far.
        start: without a step, while the first one is prepared.
        look: between looks. Whoever has not looked for `absence` was stopped too, and knows nothing.
        absence: see `look`.
    """

    silence: float = 120.0
    still: float = 600.0
    steps: float = 50.0
    start: float = 3600.0
    look: float = 5.0
    absence: float = 30.0


@dataclass(frozen=True)
class Hang:
    """A process that hangs.

    Attributes:
        name: of its heartbeat.
        heartbeat: the last one.
        reason: one line for the user.
    """

    name: str
    heartbeat: Heartbeat
    reason: str


@dataclass
class _Seen:
    heartbeat: Heartbeat
    beat_at: float
    step_at: float


class HangDetector:
    """Remembers when each process got on, by the clock of who looks: clocks of two machines are never compared."""

    def __init__(self, limits: HangLimits | None = None) -> None:
        self.limits = limits or HangLimits()
        self._seen: dict[str, _Seen] = {}
        self._looked: float | None = None

    def look(self, shown: Mapping[str, Heartbeat], now: float) -> list[Hang]:
        """The processes that hang; each is told once.

        Args:
            shown: the heartbeats there are now, by their names.
            now: seconds of a clock that never goes back.
        """
        was_absent = self._looked is not None and now - self._looked > self.limits.absence
        self._looked = now
        self._seen = {} if was_absent else {name: seen for name, seen in self._seen.items() if name in shown}
        found = []
        getting_on = {heartbeat.process for name, heartbeat in shown.items() if self._gets_on(name, heartbeat)}
        for name, heartbeat in shown.items():
            if heartbeat.process in getting_on and name in self._seen:
                self._seen[name].step_at = now
            reason = self._judge(name, heartbeat, now)
            if reason:
                found.append(Hang(name, heartbeat, reason))
                del self._seen[name]
        return found

    def _gets_on(self, name: str, heartbeat: Heartbeat) -> bool:
        """Whether it took a step since the last look. Then its process does not hang, though other work in it waits."""
        seen = self._seen.get(name)
        return seen is not None and seen.heartbeat.steps != heartbeat.steps

    def _judge(self, name: str, heartbeat: Heartbeat, now: float) -> str:
        seen = self._seen.setdefault(name, _Seen(heartbeat, now, now))
        if heartbeat.beats != seen.heartbeat.beats:
            seen.beat_at = now
        # The first step has all its time, however long it was prepared.
        was_starting = seen.heartbeat.is_starting and not seen.heartbeat.is_working
        if not (heartbeat.is_working or heartbeat.is_starting) or (was_starting and heartbeat.is_working):
            seen.step_at = now
        seen.heartbeat = heartbeat
        limits, who = self.limits, f"its process {heartbeat.process.pid} on {heartbeat.process.machine.host}"
        silent, still = now - seen.beat_at, now - seen.step_at
        if silent >= limits.silence:
            return f"{who} has shown no sign of life for {silent:.0f} s"
        if heartbeat.is_working and still >= max(limits.still, limits.steps * heartbeat.longest_step):
            longest = f"{heartbeat.longest_step:.1f}"
            return f"{who} has taken no step for {still:.0f} s, and its longest before took {longest} s"
        if heartbeat.is_starting and not heartbeat.is_working and still >= limits.start:
            return f"{who} has prepared its first step for {still:.0f} s, and waits for nobody"
        return ""
