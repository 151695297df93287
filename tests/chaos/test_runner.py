"""Faults one after the other: what is skipped, what is broken, and what they are compared with. Nothing is run."""

from dataclasses import replace

import pytest

from graft.chaos import runner as runner
from graft.chaos.checks import Facts
from graft.chaos.fault import Broken, Fault, Missed, Verdict
from graft.chaos.sandbox import RunnerContext

COUNTS = {"records": 9, "torn": 0, "trials": 1, "lost": 0, "doubled": 0}
COUNTS |= {f"{what}_{side}": 2 for what in ("runs", "metrics") for side in ("expected", "in_mlflow")}
FACTS = Facts("completed", {"t01": "completed"}, {"t01": ((0, 1),)}, {"lr": 0.1}, 0.7, 0.6, 0, COUNTS)


class FakeSandbox:
    """Stands for a run: `facts` of the undisturbed one, whatever the fault's act does to them afterwards."""

    begun: list[tuple[str, ...]] = []
    unfit: tuple[str, ...] = ("never",)

    def __init__(self, context, home, overrides=(), seed=0):
        self.overrides, self.home, self.seed = tuple(overrides), home, seed
        self.found = FACTS

    def __enter__(self):
        self.begun.append(self.overrides)
        return self

    def __exit__(self, *_):
        """Nothing was started."""

    def run(self):
        return self

    wait = run

    def require_success(self):
        if self.overrides == self.unfit:
            raise Broken("`graft run` ended with 2")

    def settle(self):
        """Nothing runs."""

    def facts(self):
        return self.found


@pytest.fixture
def outcomes_of(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "Sandbox", FakeSandbox)
    monkeypatch.setattr(FakeSandbox, "begun", [])

    def act_out(*faults):
        return list(runner.ChaosRunner(RunnerContext(tmp_path, tmp_path / "job.yaml")).run(faults, seed=3))

    return act_out


def fault(act=lambda sandbox: "epoch 2", **fields):
    return Fault("f", "something happens", "nothing is lost", act, **fields)


def test_a_fault_that_changes_nothing_is_survived(outcomes_of):
    (outcome,) = outcomes_of(fault())
    assert (outcome.verdict, outcome.injected_at, outcome.winner) == (Verdict.KEPT, "epoch 2", "same")
    assert outcome.counts == {**COUNTS, "retrained": 0}


def test_every_job_is_run_undisturbed_once(outcomes_of):
    outcomes_of(fault(), fault(), fault(overrides=("a=1",)), fault(is_compared=False, overrides=("a=2",)))
    assert FakeSandbox.begun == [(), (), (), ("a=1",), ("a=1",), ("a=2",)]


def test_what_the_act_finds_and_what_is_counted_afterwards_are_both_told(outcomes_of):
    def act(sandbox):
        sandbox.found = replace(FACTS, counts={**COUNTS, "lost": 4}, winner={"lr": 0.2})
        raise Broken("no line was printed")

    (outcome,) = outcomes_of(fault(act))
    assert (outcome.verdict, outcome.winner) == (Verdict.BROKEN, "other")
    assert outcome.problems[:2] == ("no line was printed", "4 are lost in MLflow")


def test_a_search_that_is_another_one_has_no_winner_to_compare(outcomes_of):
    def act(sandbox):
        sandbox.found = replace(FACTS, winner={"lr": 0.2})
        return "always"

    (outcome,) = outcomes_of(fault(act, is_compared=False))
    assert (outcome.verdict, outcome.winner) == (Verdict.KEPT, "–")


def test_a_moment_that_never_came_is_no_verdict(outcomes_of):
    def act(sandbox):
        raise Missed("the run was over before")

    (outcome,) = outcomes_of(fault(act))
    assert (outcome.verdict, outcome.problems) == (Verdict.SKIPPED, ("the run was over before",))


def test_what_cannot_be_done_here_is_skipped_without_a_run(outcomes_of):
    (outcome,) = outcomes_of(fault(lack=lambda context: "only root can"))
    assert (outcome.verdict, outcome.problems) == (Verdict.SKIPPED, ("only root can",))
    assert FakeSandbox.begun == []


def test_a_job_that_cannot_be_as_a_fault_needs_it_skips_that_fault(outcomes_of, monkeypatch):
    monkeypatch.setattr(FakeSandbox, "unfit", ("resources.workers=2",))
    skipped, kept = outcomes_of(fault(overrides=("resources.workers=2",)), fault())
    assert (skipped.verdict, kept.verdict) == (Verdict.SKIPPED, Verdict.KEPT)
    assert skipped.problems == ("without any fault with resources.workers=2: `graft run` ended with 2",)


def test_a_job_that_never_runs_ends_everything(outcomes_of, monkeypatch):
    monkeypatch.setattr(FakeSandbox, "unfit", ())
    with pytest.raises(Broken, match="without any fault: `graft run` ended with 2"):
        outcomes_of(fault())


def test_a_missed_moment_is_tried_once_more(outcomes_of):
    tried = []

    def act(sandbox):
        tried.append(sandbox)
        if len(tried) == 1:
            raise Missed("the run was over before")
        return "epoch 2"

    (outcome,) = outcomes_of(fault(act))
    assert (outcome.verdict, len(tried)) == (Verdict.KEPT, 2)
