"""What a user sees who asks which strategy wins: the pages that graft writes, in MLflow's own user interface.

The format of a saved view is no public interface of MLflow, so these tests are what tells when it changes.
"""

from collections.abc import Callable
from typing import Any

import pytest

from graft.journal.events import TrialStarted
from graft.journal.journal import read
from graft.tracking.projection.trial_runs import family

pytestmark = pytest.mark.browser

Address = Callable[[str, str], str]
# MLflow draws its charts with Plotly.
CHARTS = ".js-plotly-plot"


def strategies_of(results: Any, experiment: str) -> list[dict[str, Any]]:
    return [dict(event.strategy) for _, event in read(results.journal(experiment)) if isinstance(event, TrialStarted)]


@pytest.mark.parametrize("which", ["real", "replayed"])
def test_the_strategies_are_grouped_by_family_and_charted(results, address: Address, screen, which: str) -> None:
    experiment = getattr(results, which)
    screen.open(address(experiment, "strategies"), "Which strategy wins?")
    page = screen.page
    families = {family(strategy) for strategy in strategies_of(results, experiment)}
    assert len(families) > 1
    for name in families:
        page.get_by_text(f"Group: {name}", exact=True).first.wait_for()
    for section in ("Which strategy wins?", "Cost against quality", "Learning curves"):
        page.get_by_text(section).first.wait_for()
    page.get_by_text("final/seconds vs. final/val_accuracy").first.wait_for()
    page.get_by_text("bars begin at val accuracy ").first.wait_for()
    page.get_by_text("final/val_accuracy_lead").first.wait_for()
    bars = page.locator(CHARTS).first
    bars.locator(".bars .point").first.wait_for()
    assert bars.locator(".bars .point").count() == len(families)
    screen.shoot(f"strategies-{which}")


@pytest.mark.parametrize("which", ["real", "replayed"])
def test_the_trials_have_parallel_coordinates_over_what_varies(results, address: Address, screen, which: str) -> None:
    experiment = getattr(results, which)
    screen.open(address(experiment, "trials"), "Which choices lead to good results?")
    page = screen.page
    page.get_by_text("Parallel Coordinates").first.wait_for()
    page.locator("svg").get_by_text("freeze", exact=True).first.wait_for()
    axes = {text.strip() for text in page.locator("svg text").all_text_contents()}
    assert {"freeze", "penalty", "lr"} <= axes
    assert "resolution" not in axes, "it is the same for all"
    page.locator(f"{CHARTS} .bars .point").first.wait_for()
    screen.shoot(f"trials-{which}")


def test_the_table_has_the_columns_that_matter_best_first(results, address: Address, screen) -> None:
    url = address(results.replayed, "trials").replace("&compareRunsMode=CHART", "")
    screen.page.set_viewport_size({"width": 3200, "height": 1500})
    screen.open(url, "matching runs")
    page = screen.page
    first = page.locator("[row-index='0']").filter(has_text=f"{winner(results)} ")
    first.first.wait_for()
    headers = {text.strip() for text in page.locator("[role=columnheader]").all_inner_texts()}
    assert {"final/val_accuracy", "final/seconds", "family", "freeze", "penalty", "lr"} <= headers
    assert "resolution" not in headers
    screen.shoot("trials-table")


def test_two_experiments_side_by_side(results, server, screen) -> None:
    compared = results.graft("compare", results.real, results.replayed, "--port", str(server.port))
    assert [one["experiment"] for one in compared["experiments"]] == [results.real, results.replayed]
    screen.open(server.address(compared["compare_url"]), "Comparing 2 Runs from 1 Experiment")
    page = screen.page
    for one in compared["experiments"]:
        page.get_by_text(f"{one['trial']} {one['strategy']}").first.wait_for()
    for field in ("family", "freeze", "penalty", "final/val_accuracy"):
        page.get_by_text(field, exact=True).first.wait_for()
    screen.shoot("compare")


def test_the_run_of_an_experiment_says_first_who_won(results, address: Address, screen) -> None:
    experiment_page = address(results.real, "trials").partition("&viewStateShareKey")[0]
    screen.open(f"{experiment_page}&searchFilter=tags.%60graft.role%60%20%3D%20'experiment'", results.real)
    screen.page.get_by_text(results.real, exact=True).first.click()
    screen.page.get_by_text("wins:").first.wait_for()
    screen.page.get_by_text("What mattered:").first.wait_for()
    screen.shoot("experiment-run")


def winner(results: Any) -> str:
    (found,) = results.graft("compare", results.replayed)["experiments"]
    return str(found["trial"])


def test_a_browser_without_the_token_sees_nothing_and_one_with_it_keeps_no_token_in_its_address(server, screen) -> None:
    page = screen.page
    refused = page.goto(f"http://127.0.0.1:{server.port}/")
    assert refused.status == 401
    assert "graft ui" in page.inner_text("body")
    screen.open(server.printed, "runs")
    assert "token" not in page.url
    assert page.url.partition("#")[2].startswith("/experiments/")
