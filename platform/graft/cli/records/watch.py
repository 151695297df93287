"""`graft watch`: the display of a run, from another terminal."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from graft.cli.options import ExperimentArgument, HomeOption
from graft.cli.output.tell import tell
from graft.core.storage import Home

if TYPE_CHECKING:
    from graft.cli.output.display import Listener
    from graft.experiments.directory import Experiment
    from graft.experiments.progress import Progress

_POLL = 0.5


def command(experiment: ExperimentArgument = "latest", home: HomeOption = None) -> None:
    """Watch an experiment from another terminal, until it ends; or see how one went that has ended.

    Ctrl-C ends the watching, not the experiment. Into a file or a pipe it prints plain lines.

    Example: graft watch digits
    """
    from graft.cli.records.status import state_of
    from graft.experiments.directory import find_recorded
    from graft.experiments.progress import Progress

    found = find_recorded(Home.find(home), experiment)
    job = found.job()
    progress = Progress(job.objective, job.epochs)
    try:
        with _display(found, progress) as listener:
            follow(found, progress, listener)
    except KeyboardInterrupt:
        tell(f"graft: watching has ended; {found.name} goes on", err=True)
        return
    state = state_of(progress, is_written=False)
    advice = "" if state == "completed" else f"; `{found.goes_on_by}` goes on with it"
    tell(f"{found.name} is {state}{advice}")


def follow(
    experiment: "Experiment",
    progress: "Progress",
    listener: "Listener",
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Hand every event to the listener, which feeds `progress`, until the experiment has ended or was killed.

    It ends too when whoever reads what is printed has gone.

    Raises:
        ArtifactError: the journal is missing or damaged.
    """
    from graft.cli.output.unfailing import has_no_reader
    from graft.journal.journal import is_being_written, read

    read_to = 0
    while not has_no_reader(sys.stdout):
        # Before reading: what is written until a writer lets go is then read in any case.
        is_written = is_being_written(experiment.journal_file)
        for end, event in read(experiment.journal_file, read_to):
            listener(event)
            read_to = end
        if progress.status is not None or not is_written:
            return
        wait(_POLL)


@contextlib.contextmanager
def _display(experiment: "Experiment", progress: "Progress") -> "Iterator[Listener]":
    from graft.cli.output.display import live_display
    from graft.cli.output.plain_lines import plain_display
    from graft.journal.journal import is_being_written
    from graft.search.outlook import Outlook

    outlook = Outlook.of(experiment.job())
    if not sys.stdout.isatty():
        with plain_display(sys.stdout, progress, outlook) as listener:
            yield listener
        return

    def now() -> float:
        return time.time() if is_being_written(experiment.journal_file) else progress.now

    with live_display(sys.stdout, progress, outlook, now) as listener:
        yield listener
