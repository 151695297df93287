"""Which of some entries a memory does not hold yet: what makes filling it again change nothing."""

from graft.meta.memory.records import HeldMemory, Record, TaskEntry
from graft.meta.memory.schema import RECORDS, SCORES, TASKS, to_scores, to_tasks
from graft.meta.memory.store import Contents

_TOLD = ("trial", "epoch", "metric", "state")


def not_yet_known(contents: Contents, given: HeldMemory) -> HeldMemory:
    """Entries that are new, or say more than the ones that are held.

    A record is known if one of its trial, epoch and metric has the same state; a score by its value; a task by its
    vector, and by its meta-features where it has none.
    """
    table = contents.tables[RECORDS]
    known = set(zip(*(table.column(name).to_pylist() for name in _TOLD), strict=True))
    records = [one for one in given.records() if _told(one) not in known]
    values = {(one.task, one.backbone, one.score_name): one.value for one in to_scores(contents.tables[SCORES])}
    scores = [one for one in given.scores() if values.get((one.task, one.backbone, one.score_name)) != one.value]
    entries = {one.task: one for one in to_tasks(contents.tables[TASKS])}
    tasks = [one for one in given.tasks() if _says_more(one, entries.get(one.task))]
    return HeldMemory(_each_once(records), tasks, scores)


def _told(record: Record) -> tuple[object, ...]:
    return record.trial, record.epoch, record.metric, str(record.state)


def _each_once(records: list[Record]) -> list[Record]:
    """A file may hold a result twice."""
    return list({_told(one): one for one in records}.values())


def _says_more(entry: TaskEntry, held: TaskEntry | None) -> bool:
    if held is None:
        return True
    if entry.embedding:
        return (entry.embedding_version, entry.embedding) != (held.embedding_version, held.embedding)
    return bool(entry.meta_features) and dict(entry.meta_features) != dict(held.meta_features) and not held.embedding
