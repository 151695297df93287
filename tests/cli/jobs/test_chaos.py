"""What `graft chaos` prints and how it ends; the faults themselves are injected in tests/integration/chaos."""

import json
from collections.abc import Iterable

import pytest

from graft.chaos.catalog import FAULTS
from graft.chaos.fault import Broken, Outcome, Verdict
from graft.chaos.runner import ChaosRunner

JOB = "jobs/digits.yaml"
COUNTS = {"lost": 0, "doubled": 0, "retrained": 0}
KEPT = Outcome("driver-killed", "record 7 of 38", "nothing is lost", Verdict.KEPT, (), COUNTS, "same", 60.0)
SKIPPED = Outcome("raylet-killed", "–", "it goes on", Verdict.SKIPPED, ("not ours",))
BROKEN = Outcome(
    "ctrl-c", "epoch 2", "it is kept", Verdict.BROKEN, ("3 are lost in MLflow",), {**COUNTS, "lost": 3}, "other", 60.0
)


@pytest.fixture
def acted(monkeypatch):
    """Replaces what is run; returns the names of the faults that were asked for."""
    asked: list[str] = []

    def install(*outcomes: Outcome, error: Exception | None = None) -> list[str]:
        def run(self, faults, seed) -> Iterable[Outcome]:
            asked.extend(fault.name for fault in faults)
            yield from outcomes
            if error is not None:
                raise error

        monkeypatch.setattr(ChaosRunner, "run", run)
        return asked

    return install


def test_it_ends_with_0_when_no_guarantee_was_broken(graft, acted, home, repository):
    asked = acted(KEPT, SKIPPED)
    done = graft("chaos", repository / JOB)
    assert done.exit_code == 0
    assert asked == list(FAULTS)
    head, first, second = [line for line in done.out.splitlines() if not line.startswith(" " * 20)][:3]
    assert head.split() == ["fault", "injected", "at", "expected", "lost", "doubled", "winner", "verdict"]
    assert " ".join(first.split()) == "driver-killed record 7 of 38 nothing is lost 0 0 same kept"
    assert " ".join(second.split()) == "raylet-killed – it goes on – – – skipped: not ours"
    assert not list((home / "chaos").iterdir()), "nothing is left of a run that went well"


def test_a_broken_guarantee_ends_it_with_1_and_says_where_to_look(graft, acted, home, repository):
    acted(KEPT, BROKEN)
    done = graft("chaos", repository / JOB)
    kept = next((home / "chaos").iterdir())
    assert done.exit_code == 1
    assert "broken: 3 are lost in MLflow" in done.out
    assert done.err.endswith(f"graft: 1 of 2 guarantees were broken; all is kept in {kept}\n")


def test_json_is_one_object_with_every_outcome(graft, acted, home, repository):
    acted(KEPT, BROKEN)
    done = graft("chaos", repository / JOB, "--json", "--seed", 7)
    told = json.loads(done.out)
    assert (told["job"], told["seed"], told["broken"]) == ("digits", 7, 1)
    assert [(one["fault"], one["verdict"], one["counts"]["lost"]) for one in told["faults"]] == [
        ("driver-killed", "kept", 0),
        ("ctrl-c", "broken", 3),
    ]


def test_only_the_faults_that_are_named_are_acted_out(graft, acted, home, repository):
    asked = acted()
    graft("chaos", repository / JOB, "--only", "ctrl-c", "--only", "driver-killed")
    assert asked == ["driver-killed", "ctrl-c"]


def test_an_unknown_fault_is_an_error_with_a_suggestion(graft, acted, home, repository):
    asked = acted()
    done = graft("chaos", repository / JOB, "--only", "driver-kiled")
    assert (done.exit_code, asked) == (2, [])
    assert "driver-killed" in done.err


def test_the_list_says_what_would_be_done_and_does_nothing(graft, acted, home, repository):
    asked = acted()
    done = graft("chaos", repository / JOB, "--list", "--json")
    listed = json.loads(done.out)["faults"]
    assert (done.exit_code, asked) == (0, [])
    assert [fault["name"] for fault in listed] == list(FAULTS)
    assert all(fault["done"] and fault["guarantee"] for fault in listed)
    assert not (home / "chaos").exists()


def test_the_list_shows_every_name_and_every_promise(graft, acted, home, repository):
    acted()
    out = " ".join(graft("chaos", repository / JOB, "--list").out.split())
    assert [name for name in FAULTS if name not in out] == []
    assert FAULTS["ctrl-c"].guarantee.split()[-1] in out


def test_a_job_that_does_not_run_by_itself_is_one_line(graft, acted, home, repository):
    acted(error=Broken("without any fault: `graft run` ended with 2: no such file"))
    done = graft("chaos", repository / JOB)
    assert done.exit_code == 1
    assert "without any fault" in done.err
