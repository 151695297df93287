"""Why a trial's process has died, or why it failed: memory is named where it was the cause, with what to lower."""

import pytest

from graft.core.errors import TrialError
from graft.search.tuner import Deaths, _reason_of


@pytest.mark.parametrize(
    ("error", "kills", "was_here", "told"),
    [
        (
            "ray.exceptions.OutOfMemoryError: Memory on the node\nsee https://docs",
            0,
            False,
            "ended by Ray because memory",
        ),
        ("ActorDiedError: gone\nEnd of file", 1, True, "ended by the kernel because memory ran out; lower"),
        ("ActorDiedError: gone\nEnd of file", 1, False, "the trial's process died: End of file"),
        ("ActorDiedError: gone\nEnd of file", 0, True, "the trial's process died: End of file"),
        ("", 0, True, "the trial's process died: no message"),
    ],
)
def test_memory_is_named_only_where_it_was_the_cause(error: str, kills: int, was_here: bool, told: str) -> None:
    counts = iter([5, 5 + kills, 5 + kills])
    deaths = Deaths(lambda: next(counts))
    assert told in deaths.reason(error, was_here)
    assert "died: again" in deaths.reason("again", was_here), "an earlier kill says nothing of a later death"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "ran out of memory (MemoryError); lower strategy.batch_size"),
        (
            RuntimeError("CUDA out of memory. Tried\nx"),
            "ran out of memory (RuntimeError: CUDA out of memory. Tried); ",
        ),
        (
            OSError(12, "Cannot allocate memory"),
            "ran out of memory (OSError: [Errno 12] Cannot allocate memory); ",
        ),
        (TrialError("it was out of memory; try less"), "TrialError: it was out of memory; try less"),
        (ValueError("x"), "ValueError: x"),
    ],
)
def test_a_trial_that_lacks_memory_says_what_to_do(error: Exception, told: str) -> None:
    assert _reason_of(error).startswith(told)
