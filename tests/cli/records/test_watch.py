import io

import pytest

from graft.cli.output.plain_lines import PlainLines
from graft.cli.records import watch
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.events import ExperimentStatus, TrialStatus
from graft.journal.journal import Journal
from graft.search.outlook import Outlook


def end(status):
    return events.ExperimentFinished(status, 30.0, time=140.0)


@pytest.fixture
def watched(make_experiment, story):
    """An experiment, its progress as the watcher has it, and what the watcher prints."""
    experiment = make_experiment(story)
    job = experiment.job()
    progress, stream = Progress(job.objective, job.training.epochs), io.StringIO()
    return experiment, progress, PlainLines(stream, progress, Outlook.of(job)).listen, stream


def test_one_that_has_ended_is_told_from_the_start(graft, make_experiment, story):
    experiment = make_experiment([*story, end(ExperimentStatus.COMPLETED)])
    done = graft("watch", "digits")
    assert (done.exit_code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:3] == ["ingest: started", "ingest: done in 3.0 s (1797 images)", "search: started"]
    assert sum(line.startswith("  [") for line in lines) == 3
    assert lines[-1] == f"{experiment.name} is completed"


@pytest.mark.parametrize(("story_end", "state"), [([], "killed"), ([end(ExperimentStatus.INTERRUPTED)], "interrupted")])
def test_one_that_was_cut_off_says_how_to_go_on(graft, make_experiment, story, story_end, state):
    experiment = make_experiment([*story, *story_end])
    assert graft("watch").out.splitlines()[-1] == (
        f"{experiment.name} is {state}; `graft resume {experiment.name}` goes on with it"
    )


def test_it_follows_until_the_end(watched):
    experiment, progress, listener, stream = watched
    waits = []
    with Journal(experiment.journal_file) as journal:

        def wait(seconds):
            waits.append(seconds)
            if len(waits) == 2:
                journal.append(events.TrialFinished("t03", TrialStatus.COMPLETED, epochs=3, time=130.0))
            if len(waits) == 3:
                journal.append(end(ExperimentStatus.COMPLETED))

        watch.follow(experiment, progress, listener, wait)
    assert len(waits) == 3
    assert progress.status is ExperimentStatus.COMPLETED
    assert sum(line.startswith("  [") for line in stream.getvalue().splitlines()) == 4


def test_it_ends_when_the_driver_is_killed(watched):
    experiment, progress, listener, _ = watched
    journal = Journal(experiment.journal_file)

    def wait(seconds):
        journal.append(events.TrialFinished("t03", TrialStatus.COMPLETED, epochs=3, time=130.0))
        journal.close()  # as the operating system does for a process that is killed

    watch.follow(experiment, progress, listener, wait)
    assert progress.status is None
    assert progress.trials["t03"].status == TrialStatus.COMPLETED


def test_no_event_is_told_twice(watched):
    experiment, progress, _, _ = watched
    seen = []

    def listener(event):
        progress.apply(event)
        seen.append(event)

    with Journal(experiment.journal_file) as journal:
        left = [events.StageStarted("fit", time=131.0), events.StageStarted("export", time=132.0)]

        def wait(seconds):
            journal.append(left.pop(0) if left else end(ExperimentStatus.FAILED))

        watch.follow(experiment, progress, listener, wait)
    assert len(seen) == len({(type(event), event.time, repr(event)) for event in seen})
    assert [type(event).__name__ for event in seen[-3:]] == ["StageStarted", "StageStarted", "ExperimentFinished"]


def test_ctrl_c_ends_the_watching_only(graft, make_experiment, story, monkeypatch):
    experiment = make_experiment(story)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with Journal(experiment.journal_file):
        monkeypatch.setattr("graft.cli.records.watch.follow", interrupt)
        done = graft("watch")
    assert (done.exit_code, done.out) == (0, "")
    assert done.err == f"graft: watching has ended; {experiment.name} goes on\n"


def test_a_terminal_gets_the_live_table(watched, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    experiment, progress, _, _ = watched
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", terminal)
    with watch._display(experiment, progress) as listener:
        watch.follow(experiment, progress, listener)
    text = terminal.getvalue()
    assert "▸" in text
    assert "t01" in text
    assert "19.0 s" in text, "the clock of a dead search stands where its last record is"


def test_one_that_is_not_there_is_said(graft, home):
    assert graft("watch", "nothing").exit_code == 2
