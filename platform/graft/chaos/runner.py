"""Runs a job undisturbed, then under one fault after the other, and says which guarantees were kept."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from graft.chaos.checks import Facts, problems
from graft.chaos.environment.disks import small_disk
from graft.chaos.fault import Broken, Fault, Missed, Outcome, Verdict
from graft.chaos.faults.storage import DISK_MB
from graft.chaos.sandbox import RunnerContext, Sandbox
from graft.core.storage import Home
from graft.spec.job import Job

Listener = Callable[[str], None]


class ChaosRunner:
    """A job and the faults it is to survive.

    Args:
        context: where everything happens.
        tell: hears what is going on, a line at a time.
    """

    def __init__(self, context: RunnerContext, tell: Listener = lambda _: None) -> None:
        self._context, self._tell = context, tell
        self._home = Home(context.root / "home")

    @classmethod
    def of(cls, job: Job, root: Path, tell: Listener = lambda _: None) -> "ChaosRunner":
        """Of a job that has been made small."""
        root.mkdir(parents=True, exist_ok=True)
        file = root / "job.yaml"
        file.write_text(yaml.safe_dump(job.model_dump(mode="json", exclude_unset=True), sort_keys=False))
        return cls(RunnerContext(root, file), tell)

    def __enter__(self) -> "ChaosRunner":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.__exit__()

    def run(self, faults: Sequence[Fault], seed: int = 0) -> Iterator[Outcome]:
        """Yield what comes of each, in order; `seed` chooses the moments that are left to chance.

        Raises:
            Broken: the job does not even run without a fault.
        """
        for fault in faults:
            lack = fault.lack(self._context) or self._lacks_undisturbed(fault)
            if lack:
                yield Outcome(fault.name, "–", fault.guarantee, Verdict.SKIPPED, (lack,))
                continue
            self._tell(f"{fault.name}: {fault.done}")
            outcome = self._run_fault(fault, seed)
            if outcome.verdict is Verdict.SKIPPED:
                self._tell(f"  again, because {'; '.join(outcome.problems)}")  # a busy machine can miss a moment
                outcome = self._run_fault(fault, seed)
            yield outcome

    def _run_fault(self, fault: Fault, seed: int) -> Outcome:
        if not fault.home:
            return self._run_in_sandbox(fault, self._home, seed)
        with small_disk(self._context.root / fault.home, DISK_MB) as disk:
            return self._run_in_sandbox(fault, Home(disk), seed)

    def _run_in_sandbox(self, fault: Fault, home: Home, seed: int) -> Outcome:
        started = time.monotonic()
        with (fault.sandbox or Sandbox)(self._context, home, fault.overrides, seed) as sandbox:
            moment, broken = "–", []
            try:
                moment = fault.act(sandbox)
            except Missed as missed:
                return Outcome(fault.name, moment, fault.guarantee, Verdict.SKIPPED, (str(missed),))
            except Broken as problem:
                broken.append(str(problem))
            found, missing = _count(sandbox)
        outcome = self._judge(fault, found, [*broken, *missing])
        return replace(outcome, injected_at=moment, seconds=round(time.monotonic() - started, 1))

    def _judge(self, fault: Fault, found: Facts | None, broken: list[str]) -> Outcome:
        kind = fault.sandbox or Sandbox
        undisturbed = self._context.undisturbed[kind, fault.overrides] if fault.is_compared else None
        if found is not None:
            broken = [*broken, *problems(found, undisturbed)]
        verdict = Verdict.BROKEN if broken else Verdict.KEPT
        counts = {} if found is None else {**found.counts, "retrained": found.retrained}
        winner = _winner(found, undisturbed)
        return Outcome(fault.name, "–", fault.guarantee, verdict, tuple(broken), counts, winner)

    def _lacks_undisturbed(self, fault: Fault) -> str:
        """Why there is nothing to compare a fault with; empty if there is, or need not be."""
        kind = fault.sandbox or Sandbox
        if not fault.is_compared or (kind, fault.overrides) in self._context.undisturbed:
            return ""
        wanted = f" with {', '.join(fault.overrides)}" if fault.overrides else ""
        self._tell(f"undisturbed{wanted}")
        try:
            self._run_undisturbed(kind, fault.overrides)
        except Broken as problem:
            told = f"without any fault{wanted}: {problem}"
            if not fault.overrides and fault.sandbox is None:
                raise Broken(told) from problem
            return told
        return ""

    def _run_undisturbed(self, kind: type[Sandbox], overrides: tuple[str, ...]) -> None:
        with kind(self._context, self._home, overrides) as sandbox:
            sandbox.run().wait().require_success()
            sandbox.settle()
            facts = sandbox.facts()
        own = problems(facts, None)
        if own:
            raise Broken("; ".join(own))
        self._context.undisturbed[kind, overrides] = facts


def _count(sandbox: Sandbox) -> tuple[Facts | None, list[str]]:
    """What has come out, and what is wrong if nothing has."""
    try:
        sandbox.settle()
        return sandbox.facts(), []
    except Broken as problem:
        return None, [str(problem)]


def _winner(found: Facts | None, undisturbed: Facts | None) -> str:
    if found is None or undisturbed is None:
        return "–"
    return "same" if found.has_winner_of(undisturbed) else "other"
