"""From a path to a job that validates and runs: kind of data, columns, task, splits and a space to search."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graft.core.errors import DataError, SpecError
from graft.data.draft import Draft, Wish, drafts_of, kinds_with_draft
from graft.data.listing import Listing
from graft.data.targets import Targets
from graft.pipeline.resolve import Resolved, listing_of, resolve_job
from graft.spec.default_space import default_space
from graft.spec.fit import taken_by
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.messages.sentences import nearest_hint
from graft.spec.search.budget import DEFAULT_TRIALS
from graft.tasks.registry import build_task

MINUTES = 30
# A kind that explains so much less of a directory than another is not meant: a read-me beside images.
_SLIGHT = 0.1


@dataclass(frozen=True)
class DraftJob:
    """A job, and what it was made from.

    Attributes:
        job: the keys of a job file; `data.path` is absolute.
        title: what it is for, in a sentence.
        reasons: why a key is as it is, by its dotted name.
        summary: what was found, for people.
    """

    job: Mapping[str, Any]
    title: str
    reasons: Mapping[str, str]
    summary: str


def draft_job(path: Path, wish: Wish, task: str | None = None) -> DraftJob:
    """Look at a path, and write the job that adapts a model to what is there.

    Args:
        path: a directory or a table.
        wish: what the user says of it.
        task: kind of the task, if the user has named it.

    Raises:
        SpecError: what the user says is wrong.
        DataError: there is nothing that could be used, or it has several meanings; the message names them.
    """
    where = _absolute(path)
    _check_kind(wish.kind)
    is_table = bool(wish.sample or wish.labels) or wish.kind == "table"
    if where.is_dir() and not is_table:
        return _of_directory(where, wish, task)
    return _of_draft(where, _choose(where, drafts_of(where, replace(wish, kind=wish.kind or "table"))), task)


def _of_directory(where: Path, wish: Wish, task: str | None) -> DraftJob:
    """A directory of samples; or a table in it, if it is no such directory."""
    drafts = drafts_of(where, wish)
    as_table = replace(wish, kind="table")
    if not drafts:
        return _of_draft(where, _choose(where, drafts_of(where, as_table)), task)
    try:
        return _of_draft(where, _choose(where, drafts), task)
    except DataError as error:
        if wish.kind:
            raise
        return _of_table_beside(where, as_table, task, error)


def _of_table_beside(where: Path, as_table: Wish, task: str | None, failed: DataError) -> DraftJob:
    """The table that lies beside the samples and names their labels.

    Raises:
        DataError: there is none, or none that can be used: what is wrong with the directory itself, and with the table.
    """
    try:
        tables = drafts_of(where, as_table)
        if tables:
            return _of_draft(where, tables[0], task)
    except DataError as error:
        raise DataError(f"{failed}; nor can the table beside them be used: {error}") from error
    raise failed


def _of_draft(where: Path, draft: Draft, task: str | None) -> DraftJob:
    raw: dict[str, Any] = {
        "version": 1,
        "name": _slug(where.stem if where.is_file() else where.name),
        "data": {"kind": draft.kind, "path": str(draft.path), **draft.section},
    }
    resolved = resolve_job(parse_job({**raw, **({"task": task} if task else {})}))
    listing = resolved.listing or listing_of(resolved.job)
    targets = _split(resolved.job, listing)
    raw["data"] |= {"validation": resolved.job.data.validation, "test": resolved.job.data.test}
    raw["task"] = resolved.job.task.kind
    raw["strategy"] = {**default_space(resolved.job.data, resolved.job.task), **draft.strategy}
    raw["search"] = {"metric": resolved.job.search.metric, "budget": {"trials": DEFAULT_TRIALS, "minutes": MINUTES}}
    parse_job(raw)
    return _told(raw, draft, resolved, listing, targets)


def _absolute(path: Path) -> Path:
    where = path.expanduser().absolute()
    if not where.exists():
        raise SpecError(f"{path} does not exist; name a directory or a table")
    try:
        str(where).encode()
    except UnicodeEncodeError:
        raise SpecError(f"{path!r} is no UTF-8 name, but a job file is UTF-8 text; rename it") from None
    return where


def _check_kind(kind: str | None) -> None:
    known = kinds_with_draft()
    if kind is not None and kind not in known:
        raise SpecError(f"--kind is `{kind}`, but must be one of {', '.join(known)}{nearest_hint(kind, known)}")


def _choose(path: Path, drafts: Sequence[Draft]) -> Draft:
    if not drafts:
        raise DataError(
            f"{path} holds nothing that graft can learn from, but must hold folders of images or of .txt files, one "
            "for each class, IDX files, or be a table (.csv, .tsv, .jsonl, .parquet); name another"
        )
    first, *others = drafts
    rivals = [one for one in others if one.samples > _SLIGHT * first.samples]
    if rivals:
        found = " and ".join(f"{one.samples} samples of kind {one.kind}" for one in (first, *rivals))
        raise DataError(f"{path} holds {found}; say which is meant, as in `--kind {first.kind}`")
    return first


def _split(job: Job, listing: Listing) -> Targets:
    """The targets; ingest would refuse them as this does, but later.

    Raises:
        DataError: a class, or the whole, has too few samples for its splits.
    """
    task = build_task(job.task)
    targets = task.read(listing.targets, listing.source)
    task.split(listing.given, targets, job.data)
    return targets


def _told(raw: dict[str, Any], draft: Draft, resolved: Resolved, listing: Listing, targets: Targets) -> DraftJob:
    task, samples = resolved.job.task.kind, taken_by(resolved.job.data.modality)
    names = ", ".join(f"`{name}`" for name in targets.names[:6]) + (", …" if len(targets.names) > 6 else "")
    reasons = {"data": " ".join(draft.notes), "task": f"{resolved.reason}: {names}"}
    reasons |= {f"strategy.{key}": "fitted to what the samples look like" for key in draft.strategy}
    summary = f"{task} of {len(listing)} {samples} ({resolved.reason}): {names}"
    return DraftJob(raw, f"What the {samples} of {draft.path.name} are: {task}.", reasons, summary)


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:64].strip("-_") or "my-data"
