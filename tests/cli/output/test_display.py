import io
import re

import pytest

from graft.cli.output.display import live_display, plain_lines
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.events import TrialStatus
from graft.search.outlook import Outlook
from graft.spec.load import parse_job


@pytest.fixture
def progress() -> Progress:
    job = parse_job({"name": "digits", "data": {"kind": "digits"}})
    return Progress(job.objective, job.training.epochs)


def outlook(search: object, epochs: int = 3) -> Outlook:
    space = {"lr": {"loguniform": [1e-4, 1e-1]}}
    raw = {"name": "x", "data": "digits", "strategy": space, "training": {"epochs": epochs}, "search": search}
    return Outlook.of(parse_job(raw))


SIX_TRIALS = outlook({"scheduler": "none", "budget": {"trials": 6}})


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(progress: Progress, *story: events.Event, outlook: Outlook = SIX_TRIALS) -> list[str]:
    stream = io.StringIO()
    listen = plain_lines(stream, progress, outlook)
    for event in story:
        listen(event)
    return stream.getvalue().splitlines()


def shown(progress: Progress, story: list[events.Event], outlook: Outlook = SIX_TRIALS) -> str:
    stream = io.StringIO()
    with live_display(stream, progress, outlook) as listen:
        for event in story:
            listen(event)
    return stream.getvalue()


def test_plain_lines_follow_the_stages(progress):
    lines = told(
        progress,
        events.StageStarted("ingest"),
        events.StageFinished("ingest", 3.21, "1797 images"),
        events.StageSkipped("search", "its output is already there"),
        events.StageStarted("fit", "4 epochs, about 20 s"),
        events.StageFailed("fit", 1.0, "TrialError: the loss is infinite"),
    )
    assert lines == [
        "ingest: started",
        "ingest: done in 3.2 s (1797 images)",
        "search: skipped (its output is already there)",
        "fit: started (4 epochs, about 20 s)",
        "fit: failed (TrialError: the loss is infinite)",
    ]


def test_plain_lines_count_the_trials_that_ended(progress, story):
    lines = [line for line in told(progress, *story) if line.startswith("  [")]
    assert [line.split(":")[0] for line in lines] == [
        "  [1/6] t00 efficientnet_lite0",
        "  [2/6] t01 efficientnet_lite0 freeze=0.5",
        "  [3/6] t02 efficientnet_lite0 freeze=1",
    ]
    assert "0.6000 stopped at epoch 2" in lines[0]
    assert "0.9000 completed" in lines[1]
    assert "– failed: non-finite loss at epoch 1" in lines[2]


def test_plain_lines_are_quiet_about_epochs(progress, story):
    reports = [event for event in story if isinstance(event, events.TrialReported)]
    assert reports
    assert len(told(progress, *story)) == 3 + 3  # three lines of stages, three trials that ended


def full_disk(trial: str, free: int) -> events.TrialNoted:
    return events.TrialNoted(trial, f"features cannot be kept: {free} bytes are free")


def test_what_happens_to_all_trials_is_said_once(progress, story):
    starts = [event for event in story if isinstance(event, events.TrialStarted)]
    assert len(starts) > 1
    noted = [full_disk(event.trial, free) for free, event in enumerate(starts)]
    other = events.TrialNoted(starts[0].trial, "e2.safetensors is damaged: one byte")
    lines = told(progress, *starts, *noted, other)
    first = starts[0].trial
    assert lines == [
        f"  {first}: features cannot be kept: 0 bytes are free",
        f"  {first}: e2.safetensors is damaged: one byte",
    ]


def test_the_live_display_shows_what_happened_to_trials(progress, story):
    starts = [event for event in story if isinstance(event, events.TrialStarted)]
    screen = shown(progress, [*starts, *(full_disk(event.trial, 7) for event in starts)])
    assert screen.count("features cannot be kept: 7 bytes are free") == 1


def test_plain_lines_say_how_long_it_will_take(progress, story):
    lines = [line for line in told(progress, *story) if line.startswith("  [")]
    # After two-second epochs, with three of six trials not yet started: nine epochs and what is running.
    assert re.search(r", \d+:\d\d ± \d+:\d\d left$", lines[1])


def test_phases_exploits_and_the_end_of_the_search_are_told(progress, population):
    both = outlook([{"scheduler": "asha", "trials": 2}, {"scheduler": "pbt", "population": 2, "from": "top"}], 4)
    lines = told(progress, *population, outlook=both)
    assert [re.sub(r", \d+:\d\d ± \d+:\d\d left$", "", line) for line in lines] == [
        "search: started",
        "  phase 1 of 2: asha, to epoch 2",
        "  [1/4] t01 efficientnet_lite0: 0.7000 completed",
        "  [2/4] t02 efficientnet_lite0: 0.6000 completed",
        "  phase 2 of 2: pbt, to epoch 4",
        "  t04: accuracy 0.5000 is among the worst 1 of 2 at epoch 3; copies t03 (0.8000): lr 0.01 -> 0.012",
        "  [3/4] t03 efficientnet_lite0: 0.8200 completed",
        "  [4/4] t04 efficientnet_lite0: 0.9000 completed",
        "  the search ends (target) (t04 has accuracy 0.9000; the target is 0.9)",
    ]


def test_one_phase_is_not_told(progress):
    assert told(progress, events.PhaseStarted(0, "asha", "random", 3)) == []


def test_what_is_awaited_is_told_and_that_it_is_there_is_not(progress):
    lines = told(progress, events.ResourcesAwaited("for 2 CPU (0 free)"), events.ResourcesAwaited(""))
    assert lines == ["  waiting: for 2 CPU (0 free)"]


def test_without_a_limit_of_trials_there_is_no_total(progress, story):
    endless = outlook({"scheduler": "none", "budget": {"minutes": 9}})
    lines = [line for line in told(progress, *story, outlook=endless) if line.startswith("  [")]
    assert [line.split(" ")[2] for line in lines] == ["[1/…]", "[2/…]", "[3/…]"]
    # nine minutes from the start of the experiment, of which 19 s are over
    assert lines[-1].endswith(", 8:41 ± 0:00 left")
    (search,) = [line for line in shown(progress, [], endless).splitlines() if " search " in line]
    assert "3/… trials" in search


def test_every_event_reaches_the_progress(progress, story):
    told(progress, *story)
    assert progress.counts()["total"] == 4
    assert progress.duplicates == 1


def test_the_view_has_a_line_for_every_stage(progress, story):
    lines = shown(progress, story).splitlines()
    stages = [line.split()[:2] for line in lines[:6]]
    assert stages == [
        ["✓", "ingest"],
        ["▸", "search"],
        ["·", "fit"],
        ["·", "evaluate"],
        ["·", "export"],
        ["·", "register"],
    ]
    assert lines[0].split()[2:] == ["3.0", "s", "1797", "images"]


def test_the_view_shows_running_trials_first_then_the_best(progress, story):
    text = shown(progress, story)
    rows = [line.split() for line in text.splitlines() if re.match(r"\s*t\d\d ", line)]
    assert [row[0] for row in rows] == ["t03", "t01", "t00", "t02"]
    assert "running" in rows[0]
    assert "0.9000" in rows[1]
    assert "efficientnet_lite0 freeze=0.5" in text
    assert "failed: non-finite loss at epoch 1" in text


def test_the_view_says_how_many_trials_ended_and_how_long_it_takes(progress, story):
    (search,) = [line for line in shown(progress, story).splitlines() if " search " in line]
    assert re.search(r"3/6 trials, \d+:\d\d ± \d+:\d\d left", search)


def test_the_view_shows_no_more_than_the_best_trials(progress):
    story: list[events.Event] = [events.StageStarted("search")]
    for number in range(30):
        name = f"t{number:02}"
        story += [
            events.TrialStarted(name, {}, name),
            events.TrialReported(name, 1, {"val/accuracy": number / 100}, 1.0),
            events.TrialFinished(name, TrialStatus.COMPLETED),
        ]
    rows = [line.split()[0] for line in shown(progress, story).splitlines() if re.match(r"\s*t\d\d ", line)]
    assert rows == [f"t{number}" for number in range(29, 21, -1)]


def test_the_view_marks_what_was_skipped_and_what_failed(progress):
    text = shown(progress, [events.StageSkipped("ingest", "there"), events.StageFailed("search", 1.0, "no trial")])
    assert text.splitlines()[0].split() == ["–", "ingest", "there"]
    assert text.splitlines()[1].split()[:2] == ["✗", "search"]


def test_brackets_in_a_reason_are_text(progress):
    story = [
        events.TrialStarted("t00", {}, "net [a]"),
        events.TrialFinished("t00", TrialStatus.FAILED, "shape [3, 3] is not [/bold]"),
    ]
    text = shown(progress, story)
    assert "shape [3, 3] is not [/bold]" in text
    assert "net [a]" in text


def test_an_empty_run_can_be_shown(progress):
    assert shown(progress, []).count("·") == 6


def test_a_terminal_is_redrawn_and_its_cursor_given_back(progress, story, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    with live_display(stream, progress, SIX_TRIALS) as listen:
        for event in story:
            listen(event)
    text = stream.getvalue()
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h")
    assert "t01" in text


def test_a_failing_run_gives_the_cursor_back(progress, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    with pytest.raises(KeyboardInterrupt), live_display(stream, progress, SIX_TRIALS):
        raise KeyboardInterrupt
    assert stream.getvalue().count("\x1b[?25h") == 1
