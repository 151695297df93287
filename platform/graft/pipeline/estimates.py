"""Journals what the display says of the time left, so that it can be held against the truth."""

from collections.abc import Callable

from graft.experiments.progress import Progress
from graft.experiments.standing.estimates import Moments
from graft.experiments.standing.time_left import time_left
from graft.journal.events import Event, TimeLeftEstimated
from graft.journal.journal import Journal
from graft.search.outlook import Outlook


def journal_estimates(journal: Journal, progress: Progress, outlook: Outlook) -> Callable[[Event], None]:
    """What to call with every event, after `progress` has heard of it."""
    moments = Moments()

    def listen(event: Event) -> None:
        if not moments.is_due(event):
            return
        left = time_left(progress, outlook)
        if left is not None:
            journal.append(TimeLeftEstimated(round(left.seconds, 1), round(left.band, 1)))

    return listen
