"""Runs a job undisturbed, then under one fault after the other, and says which guarantees were kept."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import yaml

from graft.core.storage import Home
from graft.pipeline.faults.checks import Facts, problems
from graft.pipeline.faults.disks import small_disk
from graft.pipeline.faults.fault import Broken, Fault, Missed, Outcome, Verdict
from graft.pipeline.faults.scene import Place, Scene
from graft.pipeline.faults.storage_faults import DISK_MB
from graft.spec.job import Job

Listener = Callable[[str], None]


class Rehearsal:
    """A job and the faults it is to survive.

    Args:
        place: where everything happens.
        tell: hears what is going on, a line at a time.
    """

    def __init__(self, place: Place, tell: Listener = lambda _: None) -> None:
        self._place, self._tell = place, tell
        self._home = Home(place.root / "home")

    @classmethod
    def of(cls, job: Job, root: Path, tell: Listener = lambda _: None) -> "Rehearsal":
        """Of a job that has been made small."""
        root.mkdir(parents=True, exist_ok=True)
        file = root / "job.yaml"
        file.write_text(yaml.safe_dump(job.model_dump(mode="json", exclude_unset=True), sort_keys=False))
        return cls(Place(root, file), tell)

    def __enter__(self) -> "Rehearsal":
        return self

    def __exit__(self, *_: object) -> None:
        self._place.__exit__()

    def run(self, faults: Sequence[Fault], seed: int = 0) -> Iterator[Outcome]:
        """Yield what comes of each, in order; `seed` chooses the moments that are left to chance.

        Raises:
            Broken: the job does not even run without a fault.
        """
        for fault in faults:
            lack = fault.lack(self._place)
            if lack:
                yield Outcome(fault.name, "–", fault.guarantee, Verdict.SKIPPED, (lack,))
                continue
            if fault.is_compared:
                self._require_undisturbed(fault.overrides)
            self._tell(f"{fault.name}: {fault.done}")
            yield self._rehearse(fault, seed)

    def _rehearse(self, fault: Fault, seed: int) -> Outcome:
        if not fault.home:
            return self._act_out(fault, self._home, seed)
        with small_disk(self._place.root / fault.home, DISK_MB) as disk:
            return self._act_out(fault, Home(disk), seed)

    def _act_out(self, fault: Fault, home: Home, seed: int) -> Outcome:
        started, moment, found = time.monotonic(), "–", None
        broken: list[str] = []
        with Scene(self._place, home, fault.overrides, seed) as scene:
            try:
                moment = fault.act(scene)
            except Missed as missed:
                return Outcome(fault.name, moment, fault.guarantee, Verdict.SKIPPED, (str(missed),))
            except Broken as problem:
                broken.append(str(problem))
            try:
                scene.settle()
                found = scene.facts()
            except Broken as problem:
                broken.append(str(problem))
        seconds = round(time.monotonic() - started, 1)
        undisturbed = self._place.undisturbed[fault.overrides] if fault.is_compared else None
        if found is not None:
            broken += problems(found, undisturbed)
        verdict = Verdict.BROKEN if broken else Verdict.KEPT
        counts = {} if found is None else {**found.counts, "retrained": found.retrained}
        winner = _winner(found, undisturbed)
        return Outcome(fault.name, moment, fault.guarantee, verdict, tuple(broken), counts, winner, seconds)

    def _require_undisturbed(self, overrides: tuple[str, ...]) -> None:
        known = self._place.undisturbed
        if overrides in known:
            return
        self._tell(f"undisturbed{f' with {chr(44).join(overrides)}' if overrides else ''}")
        with Scene(self._place, self._home, overrides) as scene:
            scene.run().wait().require_success()
            scene.settle()
            facts = scene.facts()
        own = problems(facts, None)
        if own:
            raise Broken(f"without any fault: {'; '.join(own)}")
        known[overrides] = facts


def _winner(found: Facts | None, undisturbed: Facts | None) -> str:
    if found is None or undisturbed is None:
        return "–"
    return "same" if found.has_winner_of(undisturbed) else "other"
