import io
import re
import time

import pytest

from graft.cli.output.display import live_display
from graft.cli.output.plain_lines import PlainLines
from graft.experiments.progress import Progress
from graft.experiments.standing.time_left import time_left
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
    lines = PlainLines(stream, progress, outlook)
    for event in story:
        lines.listen(event)
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
    assert "0.600 stopped at epoch 2" in lines[0]
    assert "0.900 completed" in lines[1]
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
        "  [1/4] t01 efficientnet_lite0: 0.700 completed, best 0.700 of t01",
        "  [2/4] t02 efficientnet_lite0: 0.600 completed, best 0.700 of t01",
        "  phase 2 of 2: pbt, to epoch 4",
        "  t04: accuracy 0.5000 is among the worst 1 of 2 at epoch 3; copies t03 (0.8000): lr 0.01 -> 0.012",
        "  [3/4] t03 efficientnet_lite0: 0.820 completed, best 0.900 of t04",
        "  [4/4] t04 efficientnet_lite0: 0.900 completed, best 0.900 of t04",
        "  the search ends (target) (t04 has accuracy 0.9000; the target is 0.9)",
    ]


def test_one_phase_is_not_told(progress):
    assert told(progress, events.PhaseStarted(0, "asha", "random", 3)) == []


def test_what_is_awaited_is_told_and_that_it_is_there_is_not(progress):
    lines = told(progress, events.ResourcesAwaited("for 2 CPU (0 free)"), events.ResourcesAwaited(""))
    assert lines == ["  waiting: for 2 CPU (0 free)"]


def test_what_becomes_of_nodes_is_told_and_shown_until_they_answer_again(progress, story):
    silent = events.NodeChanged("a", "10.77.0.12", "silent", ("t1",), "node 10.77.0.12 has not answered for 20 s")
    back = events.NodeChanged("a", "10.77.0.12", "back", (), "node 10.77.0.12 answers again, after 31 s")
    assert told(progress, silent, back) == [f"  {silent.text}", f"  {back.text}"]
    assert silent.text in shown(progress, [*story, silent])
    assert "10.77.0.12" not in shown(progress, [*story, silent, back])


def test_nodes_of_a_cluster_that_grows_are_shown_with_what_they_cost(progress, story):
    counted = events.NodesCounted({"data": 1, "gpu": 4}, {"gpu": 900.0}, 1.234, 6.0)
    assert "nodes 1 data, 4 gpu; 1.23 spent" in shown(progress, [*story, counted])


def test_a_relay_that_dies_is_told(progress):
    dead = "the relay was killed by signal 9"
    ends = [events.RelayEnded(dead, 0, is_restarted=True), events.RelayEnded(dead, 1, is_restarted=False)]
    assert told(progress, *ends) == [f"  {dead}; it is started again", f"  {dead}; the run goes on without it"]


def test_without_a_limit_of_trials_there_is_no_total(progress, story):
    endless = outlook({"scheduler": "none", "budget": {"minutes": 9}})
    lines = [line for line in told(progress, *story, outlook=endless) if line.startswith("  [")]
    assert [line.split(" ")[2] for line in lines] == ["[1/…]", "[2/…]", "[3/…]"]
    # nine minutes from the start of the experiment, of which 19 s are over; it may miss them by a twentieth, and more
    # where processes start slowly
    assert lines[-1].endswith(", 8:41 ± 0:50 left")
    assert "3/… trials" in shown(progress, [], endless).splitlines()[0]


def test_every_event_reaches_the_progress(progress, story):
    told(progress, *story)
    assert progress.counts()["total"] == 4
    assert progress.duplicates == 1


def test_the_view_has_a_line_for_every_stage(progress, story):
    lines = shown(progress, story).splitlines()[3:]
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
    assert "0.900" in rows[1]
    assert "efficientnet_lite0 freeze=0.5" in text
    assert "failed: non-finite loss at epoch 1" in text


def test_the_view_says_how_many_trials_ended_and_how_long_it_takes(progress, story):
    head, best, doing = shown(progress, story).splitlines()[:3]
    assert re.search(r"━ +3/6 trials, \d+:\d\d(:\d\d)?, \d+:\d\d(:\d\d)? ± \d+:\d\d(:\d\d)? left", head)
    assert best.strip() == "best accuracy 0.900: t01 efficientnet_lite0 freeze=0.5"
    assert re.match(r"now  training 1 trial, \d+ s", doing)


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
    ingest, search = [line.split() for line in text.splitlines() if line[:1] in ("–", "✗")]
    assert ingest == ["–", "ingest", "there"]
    assert search[:2] == ["✗", "search"]


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


def begun(*story: events.Event) -> list[events.Event]:
    return [events.ExperimentStarted("digits-1", "digits-1", {}, time=100.0), *story]


SEARCHING = [
    events.StageStarted("ingest", time=101.0),
    events.StageFinished("ingest", 2.0, "1797 images", time=103.0),
    events.StageStarted("search", time=104.0),
]
STARTING = [
    *SEARCHING,
    events.PhaseStarted(0, "asha", "random", 3, time=110.0),
    events.TrialStarted("t00", {}, "a net", time=110.0),
    events.TrialStarted("t01", {}, "a net", time=110.0),
]


@pytest.mark.parametrize(
    ("story", "doing"),
    [
        ([], "starting Ray, 24 s"),
        (SEARCHING[:1], "reading the data, 23 s"),
        (SEARCHING[:2], "starting the search, 21 s"),
        (SEARCHING, "computing what frozen blocks make of the data, 20 s"),
        (STARTING, "starting 2 workers, 14 s"),
        ([*STARTING, events.ResourcesAwaited("for 2 CPU (0 free)", time=111.0)], "waiting for 2 CPU (0 free), 20 s"),
        ([*STARTING, events.TrialReported("t00", 1, {}, 2.0, time=121.0)], "training 2 trials, 3 s"),
        ([events.StageStarted("fit", "4 epochs, about 20 s", time=120.0)],
         "training the final model: 4 epochs, about 20 s, 4 s"),
        ([events.StageStarted("register", time=120.0)], "registering the model in MLflow, 4 s"),
        ([events.ExperimentFinished(events.ExperimentStatus.COMPLETED, 20.0, time=120.0)],
         "sending the last records to MLflow, 4 s"),
    ],
)  # fmt: skip
def test_what_goes_on_is_named_and_its_clock_runs(progress, story, doing):
    stream = io.StringIO()
    with live_display(stream, progress, SIX_TRIALS, now=lambda: 124.0) as listen:
        for event in begun(*story):
            listen(event)
    assert f"now  {doing}" in [line.strip() for line in stream.getvalue().splitlines()]


def test_no_clock_stands_still_while_nothing_is_recorded(progress):
    moment = [100.0]
    stream = io.StringIO()
    with live_display(stream, progress, SIX_TRIALS, now=lambda: moment[0]) as listen:
        for event in begun(*STARTING, events.TrialReported("t00", 1, {"val/accuracy": 0.5}, 2.0, time=121.0)):
            listen(event)
        moment[0] = 181.0
    text = stream.getvalue()
    assert "0/6 trials, 1:21, " in text
    assert "now  training 2 trials, 60 s" in text
    assert time_left(progress, SIX_TRIALS, 181.0).seconds > time_left(progress, SIX_TRIALS, 122.0).seconds


@pytest.mark.parametrize("width", [80, 60])
def test_it_fits_the_terminal(progress, story, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    label = (
        "efficientnet_lite0 freeze=0.471 l2_sp adamw lr=0.00312 head_lr_factor=10 penalty.strength=0.0123 batch_size=32"
    )
    long = [
        events.TrialStarted("t07", {}, label, time=120.0),
        events.TrialReported("t07", 1, {"val/accuracy": 0.95}, 2.0, time=122.0),
        events.TrialFinished("t07", TrialStatus.FAILED, "a long story " * 20, time=123.0),
        events.StageFinished("search", 3.0, "a summary " * 30, time=124.0),
    ]
    lines = shown(progress, [*story, *long]).splitlines()
    assert max(map(len, lines)) <= width
    assert "lr=0.00312" in "".join(line.strip() for line in lines)


def test_a_silent_run_without_a_terminal_says_now_and_then_what_it_does(progress):
    stream = io.StringIO()
    lines = PlainLines(stream, progress, SIX_TRIALS)
    for event in begun(*STARTING):
        lines.listen(event)
    before = stream.getvalue()
    lines.say_if_silent(time.time() + 10)
    assert stream.getvalue() == before
    lines.say_if_silent(time.time() + 100)
    assert "  … starting 2 workers, " in stream.getvalue().removeprefix(before)


def test_a_run_without_a_terminal_says_soon_that_ray_starts(progress):
    stream = io.StringIO()
    lines = PlainLines(stream, progress, SIX_TRIALS)
    lines.say_if_silent(time.time() + 1)
    assert stream.getvalue() == ""
    lines.say_if_silent(time.time() + 3)
    assert "  … starting Ray" in stream.getvalue()
    lines.say_if_silent(time.time() + 13)
    assert stream.getvalue().count("…") == 1


def test_names_write_nothing_to_the_terminal(progress, monkeypatch):
    story = [
        events.StageStarted("ingest", "\x1b[2Jevil\nsearch: done", time=100.0),
        events.TrialStarted("t00", {}, "net \u202e", time=100.0),
        events.TrialNoted("t00", "\x9b1m \x07: bad", time=100.0),
        events.TrialFinished("t00", TrialStatus.FAILED, "a\x1bb", time=101.0),
    ]
    for text in (shown(progress, story), "\n".join(told(progress, *story))):
        assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(text)
        assert r"\x1b[2Jevil\nsearch: done" in text
