"""The stages of a run: their names, in order, and how each can stand."""

from enum import Enum, StrEnum


class StageName(StrEnum):
    """The stages of a run, in order."""

    INGEST = "ingest"
    SEARCH = "search"
    FIT = "fit"
    EVALUATE = "evaluate"
    EXPORT = "export"
    REGISTER = "register"


class StageState(Enum):
    """How a stage stands; `is_terminal` says whether that can still change in this run."""

    PENDING = ("pending", False)
    RUNNING = ("running", False)
    DONE = ("done", True)
    SKIPPED = ("skipped", True)
    FAILED = ("failed", True)

    def __init__(self, label: str, is_terminal: bool) -> None:
        self.label = label
        self.is_terminal = is_terminal
