"""From a path to a job that validates and runs: kind of data, columns, task, splits and a space to search."""

import copy
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graft.core.errors import DataError, Problem, SpecError
from graft.core.uris import REMOTE_SCHEMES, advice_for_missing, user_path
from graft.data.draft import Draft, Wish, drafts_of, kinds_with_draft
from graft.data.overview import Overview
from graft.pipeline.draft.found_instead import UNPACKERS, advice_for, told_instead
from graft.pipeline.look import overview_of
from graft.pipeline.resolve import Resolved, resolve_job
from graft.spec.fit import taken_by
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.messages.sentences import nearest_hint
from graft.spec.overrides import Override, apply_override, read_overrides
from graft.spec.registry import members
from graft.spec.search.budget import DEFAULT_TRIALS

MINUTES = 30
# What `pathlib` leaves of an address.
_IN_STORE = re.compile(r"(\w+):/+(.*)")
# A kind that explains so much less of a directory than another is not meant: a read-me beside images.
_SLIGHT = 0.1


@dataclass(frozen=True)
class DraftJob:
    """A job, and what it was made from.

    Attributes:
        job: the keys of a job file; `data.path` is absolute.
        title: what it is for, in a sentence.
        reasons: why a key is as it is, by its dotted name.
        summary: what was found, for people, a line each.
        suggested: keys of `data` that may be meant, for comments.
    """

    job: Mapping[str, Any]
    title: str
    reasons: Mapping[str, str]
    summary: tuple[str, ...]
    suggested: Mapping[str, Any] = field(default_factory=dict)


def draft_job(path: Path, wish: Wish, overrides: Sequence[str] = ()) -> DraftJob:
    """Look at a path, and write the job that adapts a model to what is there.

    Args:
        path: a directory or a table.
        wish: what the user says of it.
        overrides: ``a.b=value`` texts that the job is to hold, whatever the data suggest.

    Raises:
        SpecError: what the user says is wrong.
        DataError: there is nothing that could be used, or it has several meanings; the message names them.
    """
    where = absolute(path)
    given, wish = wished(wish, overrides)
    making = _Making(where, tuple(given))
    if not where.is_dir() or wish.sample or wish.labels or wish.kind == "table":
        return making.of_draft(choose(where, drafts_of_file(where, wish)))
    return making.of_directory(wish)


@dataclass(frozen=True)
class _Making:
    """A job in the making.

    Attributes:
        where: the path that is looked at.
        given: what the user has set.
    """

    where: Path
    given: tuple[Override, ...]

    def of_directory(self, wish: Wish) -> DraftJob:
        """A directory of samples; or the only table in it, if it is no such directory."""
        drafts, as_table = drafts_of(self.where, wish), replace(wish, kind="table")
        if not drafts:
            return self.of_draft(choose(self.where, [] if wish.kind else drafts_of(self.where, as_table)))
        draft = choose(self.where, drafts)
        try:
            return self.of_draft(draft)
        except DataError as error:
            if wish.kind:
                raise
            return self._of_table_beside(as_table, error)

    def _of_table_beside(self, as_table: Wish, failed: DataError) -> DraftJob:
        """The table that lies beside the samples and names their labels.

        Raises:
            DataError: there is none, or none that can be used: what is wrong with the directory, and with the table.
        """
        try:
            tables = drafts_of(self.where, as_table)
            if tables:
                return self.of_draft(tables[0])
        except DataError as error:
            raise DataError(f"{failed}; nor can the table beside them be used: {error}") from error
        raise failed

    def of_draft(self, draft: Draft) -> DraftJob:
        """The job, once task, splits and space are decided; ingest would refuse what this refuses, but later."""
        raw: dict[str, Any] = {
            "version": 1,
            "name": model_name(self.where.stem if self.where.is_file() else self.where.name),
            "data": {"kind": draft.kind, "path": str(draft.path), **draft.section},
        }
        budget = {"trials": DEFAULT_TRIALS, "minutes": MINUTES}
        resolved = resolve_job(parse_job(self._with_what_is_set({**raw, "search": {"budget": budget}})))
        job = resolved.job
        overview = overview_of(job, resolved.listing)
        raw["data"] |= {"validation": job.data.validation, "test": job.data.test}
        raw["task"] = job.task.kind
        usual = _usual(job)
        raw["preset"] = job.preset
        raw["strategy"] = {**_other_than(usual, job.strategy.dump()), **draft.strategy}
        raw["training"] = {"epochs": "auto"}
        if job.training.fit.soup != "none":
            raw["training"] |= {"final_on": job.training.final_on, "fit": {"soup": job.training.fit.soup}}
        if (ensemble := job.training.fit.ensemble) != "off":
            fit = raw["training"].get("fit", {})
            raw["training"] |= {"fit": {**fit, "ensemble": ensemble}}
        if job.export.tta > 1:
            raw["export"] = {"tta": job.export.tta}
        first = [_other_than({**raw["strategy"], **usual}, one.dump()) for one in job.search.first or ()]
        first = [{name: value for name, value in one.items() if name not in draft.strategy} for one in first]
        different = [one for place, one in enumerate(first) if one not in first[:place]]  # some differed in these alone
        raw["search"] = {"metric": job.search.metric, "budget": budget, "first": different}
        raw = self._with_what_is_set(raw)
        parse_job(raw)
        return _told(raw, draft, resolved, overview)

    def _with_what_is_set(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        found = copy.deepcopy(dict(raw))
        for override in self.given:
            try:
                apply_override(found, override)
            except ValueError as error:
                raise SpecError([Problem(f"--set {'.'.join(override.path)}", str(error))]) from error
        return found


def _usual(job: Job) -> dict[str, Any]:
    """The backbone and the loss that a strategy has if it names none."""
    modality = members("modality")[job.data.modality]
    return {"backbone": getattr(modality, "default_backbone", ""), "loss": job.decided_task.default_loss}


def _other_than(said: Mapping[str, Any], strategy: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a strategy that are something else than is said already."""
    return {name: value for name, value in strategy.items() if value != said.get(name)}


def absolute(path: Path) -> Path:
    """A path as a job file can hold it.

    Raises:
        SpecError: it does not exist, or its name is no text; or it is the address of something in a store.
    """
    in_store = _IN_STORE.fullmatch(str(path))
    if in_store and in_store[1].lower() in REMOTE_SCHEMES:
        raise SpecError(
            f"{in_store[1]}://{in_store[2]} lies in a store, but a path of this machine is looked at here; write a job "
            "with `data: {kind: image_folder, path: …}` for it (docs/remote.md), and give that to graft"
        )
    where = user_path(path).absolute()
    if not where.exists():
        raise SpecError(f"{path} does not exist; name a directory or a table ({advice_for_missing(where)})")
    tool = next((tool for suffix, tool in UNPACKERS.items() if where.name.lower().endswith(suffix)), None)
    if where.is_file() and tool:
        raise SpecError(f"{path} is an archive, which is not read as it is; unpack it ({tool}), and name the directory")
    try:
        str(where).encode()
    except UnicodeEncodeError:
        raise SpecError(f"{path!r} is no UTF-8 name, but a job file is UTF-8 text; rename it") from None
    return where


def wished(wish: Wish, overrides: Sequence[str]) -> tuple[list[Override], Wish]:
    """What `--set` gives a job, and the wish with what that says of the data.

    Raises:
        SpecError: one of the texts is no override, or there is no such kind of data.
    """
    given, problems = read_overrides(overrides)
    if problems:
        raise SpecError(problems)
    said = {one.path: one.value for one in given}
    _check_kind(said.get(("data", "kind")))
    return list(given), replace(wish, kind=said.get(("data", "kind")), encoding=said.get(("data", "encoding")))


def drafts_of_file(where: Path, wish: Wish) -> list[Draft]:
    """What a file may be; or a directory, of which columns are named.

    Raises:
        SpecError: it is none that graft reads, by its name.
        DataError: it is of a kind, but cannot be used as it is.
    """
    drafts = drafts_of(where, wish)
    if not drafts and where.is_file() and wish.kind is None and (advice := advice_for(where)):
        raise SpecError(f"{where} ends in `{where.suffix}`, which graft does not read as it is; {advice}")
    return drafts or drafts_of(where, replace(wish, kind=wish.kind or "table"))


def _check_kind(kind: Any) -> None:
    known = kinds_with_draft()
    if kind is not None and kind not in known:
        hint = nearest_hint(str(kind), known)
        raise SpecError([Problem("--set data.kind", f"is `{kind}`, but must be one of {', '.join(known)}{hint}")])


def choose(path: Path, drafts: Sequence[Draft]) -> Draft:
    """The draft that is meant: the one that explains the path best.

    Raises:
        DataError: there is none, or several are as good.
    """
    if not drafts:
        raise DataError(
            f"{path} holds nothing that graft can learn from, but must hold folders of images or of .txt files, one "
            "for each class, tar shards, arrays, IDX files, a saved set of Hugging Face, or be a table (.csv, .tsv, "
            f".jsonl, .parquet); {told_instead(path) or 'name another'}"
        )
    first, *others = drafts
    rivals = [one for one in others if one.samples > _SLIGHT * first.samples]
    if rivals:
        found = " and ".join(f"{one.samples} samples of kind {one.kind}" for one in (first, *rivals))
        raise DataError(f"{path} holds {found}; say which is meant, as in `--set data.kind={first.kind}`")
    return first


def _told(raw: dict[str, Any], draft: Draft, resolved: Resolved, overview: Overview) -> DraftJob:
    task, samples = resolved.job.task.kind, taken_by(resolved.job.data.modality)
    found = overview.lines()
    reasons = {"data": " ".join([*draft.notes, *(f"{what.capitalize()}: {told}." for what, told in found)])}
    reasons["task"] = resolved.reason
    reasons |= {f"strategy.{key}": "fitted to what the samples look like" for key in draft.strategy}
    title = f"What the {samples} of {draft.path.name} are: {task}."
    summary = (
        *(f"note: {one}" for one in draft.notes),
        f"task: {task} ({resolved.reason})",
        *(f"{what}: {told}" for what, told in found),
    )
    suggested = {key: value for key, value in draft.suggested.items() if key not in raw["data"]}
    summary += tuple(f"perhaps: {key}: {value}" for key, value in suggested.items())
    return DraftJob(raw, title, reasons, summary, suggested)


def model_name(name: str) -> str:
    """What a job, and so its model, is called after a path of this name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:64].strip("-_") or "my-data"
