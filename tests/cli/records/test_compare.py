import pytest

from graft.core.errors import TrackingError
from graft.journal import events
from graft.journal.events import ExperimentStatus

KEYS = {
    "experiment", "status", "metric", "best", "trial", "strategy", "family", "trials", "seconds", "cost", "test",
    "test_interval",
}  # fmt: skip


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A store that holds every run; the trials that were asked for."""
    asked: list[str] = []

    def find(target, key, run):
        asked.append(run)
        return "7", f"run-{run}"

    monkeypatch.setattr("graft.tracking.mlflow.registration.find_run", find)
    return asked


@pytest.fixture
def two(make_experiment, story):
    """One experiment half-way, another finished and priced."""
    plan = events.PlanMade({}, cpus=2.0, time=100.0)
    scored = events.Evaluated({"accuracy": 0.85}, {"accuracy": (0.8, 0.9)}, time=130.0)
    ended = events.ExperimentFinished(ExperimentStatus.COMPLETED, 40.0, time=140.0)
    half = make_experiment(story, name="half")
    whole = make_experiment(
        [*story[:1], plan, *story[1:], scored, ended], name="whole", resources={"price": {"cpu_hour": 3.6}}
    )
    return half, whole


@pytest.mark.usefixtures("stored")
def test_what_each_has_found(graft, two):
    half, whole = two
    found = graft("compare", half.name, whole.name, "--json").json
    first, second = found["experiments"]
    assert set(first) == KEYS
    assert (first["experiment"], first["best"], first["trial"], first["trials"]) == (half.name, 0.9, "t01", 4)
    assert (first["cost"], first["test"], first["test_interval"]) == (None, None, None)
    assert first["family"] == "partly frozen"
    assert (second["status"], second["test"], second["test_interval"]) == ("completed", 0.85, [0.8, 0.9])
    assert second["cost"] > 0


def test_the_pages_of_each_and_of_their_best_trials(graft, two, stored):
    found = graft("compare", two[0].name, two[1].name, "--port", 5055, "--json").json
    assert found["compare_url"] == (
        "http://127.0.0.1:5055/#/compare-runs?runs=%5B%22run-t01%22%2C%22run-t01%22%5D&experiments=%5B%227%22%5D"
    )
    assert set(found["views"]) == {one.name for one in two}
    assert set(found["views"][two[0].name]) == {"strategies", "trials"}
    assert stored == ["t01", "t01"]


@pytest.mark.usefixtures("stored")
def test_for_people(graft, two):
    done = graft("compare", "half", "whole")
    assert done.exit_code == 0
    (line,) = [line for line in done.out.splitlines() if line.strip().startswith(two[1].name)]
    assert "0.800 to 0.900" in line
    assert "their best trials side by side:" in done.out
    assert "while `graft ui` runs" in done.out


@pytest.mark.usefixtures("stored")
def test_one_experiment_needs_no_page_of_two(graft, two):
    found = graft("compare", "half", "--json").json
    assert (found["compare_url"], found["problem"]) == (None, "")


def test_a_store_that_is_down_costs_only_the_pages(graft, two, monkeypatch):
    def down(target, key, run):
        raise TrackingError("tracking store http://x does not answer")

    monkeypatch.setattr("graft.tracking.mlflow.registration.find_run", down)
    done = graft("compare", "half", "whole")
    assert done.exit_code == 0
    assert "no page compares them: tracking store http://x does not answer" in done.out
    assert "0.900" in done.out


def test_what_has_not_arrived_is_named(graft, two, monkeypatch):
    monkeypatch.setattr("graft.tracking.mlflow.registration.find_run", lambda target, key, run: ("7", None))
    found = graft("compare", "half", "whole", "--json").json
    assert found["compare_url"] is None
    assert "`graft track sync` brings it there" in found["problem"]


def test_an_unknown_experiment_exits_2(graft, two):
    assert graft("compare", "half", "gone").exit_code == 2
