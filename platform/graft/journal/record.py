"""What an experiment was begun with, as its journal says: an experiment that goes on must be the same one."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graft.core.credentials import redact
from graft.core.errors import Problem, SpecError
from graft.journal import events
from graft.journal.journal import read
from graft.spec.job import Job
from graft.spec.messages.rules import shown

_NAMED = 3


@dataclass(frozen=True)
class Record:
    """What the journal of an experiment says of its beginning.

    Attributes:
        name: of the experiment when it began; its directory may have another one since.
        key: what its MLflow runs are found by.
        job: as it ran last, as plain data.
        versions: of the packages that it ran with last.
    """

    name: str = ""
    key: str = ""
    job: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, journal_file: Path) -> "Record":
        """Read it; empty for an experiment that has not begun."""
        begun = [event for _, event in _records(journal_file) if isinstance(event, events.ExperimentStarted)]
        return cls(begun[0].name, begun[0].key, begun[-1].job, begun[-1].versions) if begun else cls()

    def require_same(self, job: Job, job_file: Path, changeable: Collection[str]) -> None:
        """Prove that a job is the one whose trials have ended.

        Args:
            job: as it is now.
            job_file: where it stands.
            changeable: keys that may be others.

        Raises:
            SpecError: its file was edited.
        """
        if not self.job:
            return
        try:
            before = Job.read_stored(dict(self.job))
        except ValueError:
            return  # of another version of graft, whose jobs cannot be compared
        changes = [one for one in _changes(_plain(before), _plain(job)) if one[0] not in changeable]
        if changes:
            told = "but was {} when the experiment began, whose trials cannot be compared with others; put it back, or "
            told += "start a new experiment with `graft run`"
            problems = [Problem(key, f"is {new}, {told.format(old)}", str(job_file)) for key, old, new in changes]
            raise SpecError(problems[:_NAMED])

    def other_versions(self, versions: Mapping[str, str]) -> str:
        """Which packages are not those of before, in a sentence; empty if all are."""
        changed = [
            f"{package} {self.versions[package]} (now {version})"
            for package, version in versions.items()
            if self.versions.get(package, version) != version
        ]
        told = "the experiment was begun with {}; it goes on, but its trials may differ a little from those before"
        return told.format(", ".join(changed)) if changed else ""


def _records(journal_file: Path) -> Iterator[tuple[int, events.Event]]:
    return read(journal_file) if journal_file.exists() else iter(())


def _plain(job: Job) -> dict[str, Any]:
    return dict(job.model_dump(mode="json"))


def _changes(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """Key, old and new value of what is different; the journal holds no passwords, so they are not compared."""
    key = ".".join(path)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from _changes(before.get(name), after.get(name), (*path, name))
    elif _masked(before) != _masked(after):
        yield key, shown(before), shown(after)


def _masked(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_masked(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _masked(one) for name, one in value.items()}
    return redact(value) if isinstance(value, str) else value
