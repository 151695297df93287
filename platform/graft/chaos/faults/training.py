"""What can happen to a training: losses that are no numbers, or far too large ones."""

from typing import Any

from graft.chaos.fault import Fault, Missed, require
from graft.chaos.sandbox import Sandbox
from graft.core.errors import SpecError
from graft.journal import events

# Decoupled weight decay multiplies a weight by 1 - rate * decay each step: by -9,999, it leaves the numbers in ten.
_SOME_HEALTHY = "strategy.head_lr_factor={choice: [0.0005, 0.001, 1000]}"
NAN = ("strategy.lr=10", _SOME_HEALTHY, "strategy.weight_decay=1", "strategy.batch_size=8")
# Without decay the head only overshoots: the loss is in the thousands, and finite.
EXPLODING = ("strategy.lr=10", _SOME_HEALTHY, "strategy.weight_decay=0", "strategy.batch_size=8")


def _lose_numbers(sandbox: Sandbox) -> str:
    summary = _run(sandbox)
    failed = sorted(_failed(sandbox))
    require(failed, "no trial has failed")
    require(summary["trials"]["completed"] + summary["trials"]["stopped"] > 0, "no trial has survived")
    require(all("finite" in reason or "nan" in reason for reason in _failed(sandbox).values()), "a reason is missing")
    # The second one trains nothing: it reads in the journal what the first has done.
    for options in (("--retry-errored",), ()):
        again = sandbox.resume(*options).wait().require_success().summary
        require(not again["retrained"], f"{again['retrained']} finished trials were trained again")
    started = [event.trial for event in sandbox.records if isinstance(event, events.TrialStarted)]
    twice = sorted({trial for trial in started if started.count(trial) > 1})
    require(twice == failed, f"{failed} had failed, but {twice} were tried again")
    return f"{len(failed)} of {len(set(started))} trials"


def _explode(sandbox: Sandbox) -> str:
    summary = _run(sandbox)
    trials = summary["trials"]
    require(trials["total"] == trials["completed"] + trials["stopped"] + trials["failed"], f"trials ended as {trials}")
    losses = [
        event.metrics.get("train/loss", 0.0) for event in sandbox.records if isinstance(event, events.TrialReported)
    ]
    require(max(losses) > 100, f"no loss has exploded: the largest is {max(losses):.1f}")
    return f"the largest loss is {max(losses):.3g}"


def _run(sandbox: Sandbox) -> dict[str, Any]:
    ended = sandbox.run().wait()
    if ended.exit_code == SpecError.exit_code:
        raise Missed(f"the job cannot have such strategies: {ended.summary.get('error', '')}")
    return ended.require_success().summary


def _failed(sandbox: Sandbox) -> dict[str, str]:
    ends = (event for event in sandbox.records if isinstance(event, events.TrialFinished))
    return {event.trial: event.reason for event in ends if event.status is events.TrialStatus.FAILED}


TRAINING_FAULTS = (
    Fault(
        "loss-nan",
        "some strategies multiply the weights of the head without bound",
        "their trials fail with a reason, the others go on, and `graft resume --retry-errored` tries only those again",
        _lose_numbers,
        overrides=NAN,
        is_compared=False,
    ),
    Fault(
        "loss-explodes",
        "some strategies overshoot far, with losses that stay finite",
        "their trials end like all others, rank last, and cost no other trial anything",
        _explode,
        overrides=EXPLODING,
        is_compared=False,
    ),
)
