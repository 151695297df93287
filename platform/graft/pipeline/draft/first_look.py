"""The section `data` for a path that nobody has written a job for, even if a job could not use the data as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graft.data.draft import Wish
from graft.pipeline.draft.draft_job import absolute, choose, drafts_of_file, wished


def first_look(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The keys of the smallest job for a path.

    Args:
        path: a directory or a table.
        overrides: ``a.b=value`` texts that the job is going to hold.

    Raises:
        SpecError: there is no such path, or what is said of it is wrong.
        DataError: there is nothing that could be used, or it has several meanings; the message names them.
    """
    where, (_, wish) = absolute(path), wished(Wish(), overrides)
    draft = choose(where, drafts_of_file(where, wish))
    return {"version": 1, "name": "doctor", "data": {"kind": draft.kind, "path": str(draft.path), **draft.section}}
