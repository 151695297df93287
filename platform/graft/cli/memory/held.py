"""The memory that a command is about."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.output.tell import tell
from graft.core.errors import SpecError
from graft.core.registry import unknown
from graft.core.storage import Home

if TYPE_CHECKING:
    from graft.meta.memory.store import Contents, MemoryStore, StoredMemory

_NONE_KNOWN = (
    "task is `{}`, but the memory knows none yet; every run brings one, and so do `graft memory sync` and "
    "`graft memory import`"
)
PlaceOption = Annotated[
    str | None,
    typer.Option("--memory", metavar="PLACE", help="Directory or address of the memory, instead of GRAFT_MEMORY."),
]
TaskArgument = Annotated[
    str, typer.Argument(metavar="TASK", help="A task by its name or title, as `ls` shows them.", show_default=False)
]


def store_of(home: str | None, place: str | None) -> "MemoryStore":
    """The memory of a home, or at the place that was named.

    Raises:
        SpecError: there is none: it is switched off.
    """
    from graft.meta.memory.store import MemoryStore

    store = MemoryStore.find(Home.find(home), place)
    if store is None:
        raise SpecError("GRAFT_MEMORY is `off`, but this command needs a memory; unset it, or name one with --memory")
    return store


def weighed(contents: "Contents") -> "StoredMemory":
    """What a memory holds, with the weights that records have for this graft, now."""
    from graft.meta.memory.trust import Reader
    from graft.tracking.provenance import versions_here

    return contents.memory(Reader(time.time(), versions_here()))


def task_named(contents: "Contents", name: str) -> str:
    """The task that a name or a title means; of several with one title, none.

    Raises:
        SpecError: there is no such task, or several.
    """
    known: dict[str, set[str]] = {}
    for table in contents.tables.values():
        for task in table.column("task").to_pylist():
            known.setdefault(task, set()).add(task)
    tasks = contents.tables["tasks"]
    for task, title in zip(tasks.column("task").to_pylist(), tasks.column("title").to_pylist(), strict=True):
        known.setdefault(title or task, set()).add(task)
    found = known.get(name, {one for one in known if one.startswith(name)} if len(name) >= 4 else set())
    found = {task for one in found for task in known.get(one, {one})}
    if not found:
        raise SpecError(unknown("task", name, sorted(known)[:20]) if known else _NONE_KNOWN.format(name))
    if len(found) > 1:
        raise SpecError(
            f"task is `{name}`, which {len(found)} tasks are called; name one of {', '.join(sorted(found))}"
        )
    return found.pop()


def tell_left_out(contents: "Contents") -> None:
    """Say what could not be read, a line each."""
    tell(*(f"graft: {line}" for line in contents.left_out), err=True) if contents.left_out else None
