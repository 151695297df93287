"""How trials and experiments end, as the journal records it."""

from enum import StrEnum

from graft.core.errors import Interrupted


class TrialStatus(StrEnum):
    """How a trial ended: ran all its epochs, stopped by the scheduler, broke, or cut short with the experiment."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ExperimentStatus(StrEnum):
    """How an experiment ended; an interrupted one can be resumed."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @classmethod
    def of(cls, error: BaseException) -> "ExperimentStatus":
        """How one ends by what was raised."""
        return cls.INTERRUPTED if isinstance(error, KeyboardInterrupt | Interrupted) else cls.FAILED
