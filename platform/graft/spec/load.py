"""From a job file, or a mapping, to a validated `Job`; every problem at once, each with its file, line and key."""

import codecs
import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from graft.core.errors import Problem, SpecError
from graft.core.uris import advice_for_missing
from graft.spec.base import Spec
from graft.spec.job import Job
from graft.spec.messages.no_credentials import credential_findings
from graft.spec.messages.problems import MOST_FINDINGS, Origin, findings_of
from graft.spec.messages.rules import Finding, shown
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.data_path import BASE
from graft.spec.modalities.presence import presence_problems
from graft.spec.overrides import Override, apply_override, read_overrides
from graft.spec.space.space import StrategySpace
from graft.spec.yaml_text import Document, YamlError, read_yaml

if TYPE_CHECKING:
    from graft.spec.meta.job import MetaJob

MAX_BYTES = 1_000_000
JOB_SUFFIXES = (".yaml", ".yml")
"""Of job files, where a path may also be that of data."""
_OPEN_ALREADY = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
AnyJob = TypeVar("AnyJob", bound=Spec)
DataJob = TypeVar("DataJob", Job, "MetaJob")
Look = Callable[[DataSpec], Iterable[Problem]]


def load_job(path: str | Path, overrides: Sequence[str] = ()) -> Job:
    """Read and validate a job file.

    A relative `data.path` starts at the directory of the file; one given by an override, or from standard input, starts
    at the current directory, as any path typed into a shell does.

    Args:
        path: the file.
        overrides: ``a.b=value`` texts, as `--set` takes them; the last one of a key wins.

    Raises:
        SpecError: the file cannot be read, or something in it or in an override is wrong; all problems at once.
    """
    return _loaded(path, overrides, Job)


def load_job_here(path: str | Path, overrides: Sequence[str] = (), look: Look = presence_problems) -> Job:
    """Read and validate a job file whose data must be on this machine, or in a store; as `load_job` else.

    Args:
        path: the file.
        overrides: as for `load_job`.
        look: what is wrong with the data that a section names.

    Raises:
        SpecError: as `load_job`; the data are not there. Both at once.
    """
    return _load_here(path, overrides, look, load_job)


def load_meta_job_here(path: str | Path, overrides: Sequence[str] = ()) -> "MetaJob":
    """The same for a job of meta-training."""
    return _load_here(path, overrides, presence_problems, load_meta_job)


def load_meta_job(path: str | Path, overrides: Sequence[str] = ()) -> "MetaJob":
    """Read and validate a job of meta-training, as `load_job` does others.

    Raises:
        SpecError: the file cannot be read, or something in it or in an override is wrong; all problems at once.
    """
    from graft.spec.meta.job import MetaJob  # most jobs are none

    return _loaded(path, overrides, MetaJob)


def sound_data(path: str | Path, overrides: Sequence[str] = ()) -> DataSpec | None:
    """The section `data` of a job file that is wrong elsewhere, so that its data can be looked at all the same.

    None if that section is wrong itself, or if the file cannot be read a second time.
    """
    if _is_open_already(str(path)):
        return None
    try:
        raw = _read_document(Path(path), str(path)).data
        if not isinstance(raw, dict) or raw.get("data") is None:
            return None
        alone = {"name": "data", "data": raw["data"]}
        of_data = [one for one in overrides if one.partition("=")[0].split(".")[0].strip() == "data"]
        base = Path(path).absolute().parent
        return _validated(alone, of_data, (Origin(), base, Job), []).data
    except SpecError:
        return None


@contextlib.contextmanager
def problems_of_data_too(data: Callable[[], DataSpec | None], look: Look) -> Iterator[None]:
    """Where something else is wrong, look at the data all the same: a user mends all at once.

    Args:
        data: gives the section; None if it is wrong itself, or is not to be looked at.
        look: what is wrong with the data that it names.
    """
    try:
        yield
    except SpecError as error:
        section = data()
        others = () if section is None else look(section)
        raise SpecError([*dict.fromkeys([*error.problems, *others])]) from error


@contextlib.contextmanager
def placed_in(path: str | Path, overrides: Sequence[str] = ()) -> Iterator[None]:
    """Have problems that are found once a job is loaded say where their keys stand, as those of loading do.

    A job that came through a pipe cannot be read a second time: its problems name the key alone.

    Args:
        path: the job file.
        overrides: as for `load_job`.
    """
    try:
        yield
    except SpecError as error:
        raise SpecError(_placed(error.problems, str(path), overrides)) from error


def _placed(problems: Sequence[Problem], file: str, overrides: Sequence[str]) -> Sequence[Problem]:
    if _is_open_already(file) or all(one.file or not one.where for one in problems):
        return problems
    try:
        lines = _read_document(Path(file), file).lines
    except SpecError:
        return problems
    origin = Origin(file, lines, tuple(override.path for override in read_overrides(overrides)[0]))
    is_placed = [bool(one.file) or not one.where or one.where.startswith("--set") for one in problems]
    return [
        one if known else origin.problem(Finding(tuple(one.where.split(".")), one.message))
        for one, known in zip(problems, is_placed, strict=True)
    ]


def _require(problems: Iterable[Problem]) -> None:
    if found := [*problems]:
        raise SpecError(found)


def is_job_file(path: str | Path) -> bool:
    """Whether a name is that of a job file, where a folder or a table may be meant as well."""
    return os.path.splitext(path)[1].lower() in (".yaml", ".yml")


def is_meta_job(path: str | Path) -> bool:
    """Whether a file says that it is a job of meta-training; of one that cannot be read, `load_job` says why.

    A shell's pipe is left to that, too: it can be read but once.
    """
    if not os.path.isfile(path):
        return False
    try:
        text = _read_text(Path(path))
        data = read_yaml(text).data if "meta" in text else None  # it is read again by who loads it
    except YamlError:
        return False
    return isinstance(data, dict) and data.get("kind") == "meta"


def _load_here(
    path: str | Path, overrides: Sequence[str], look: Look, load: Callable[[str | Path, Sequence[str]], DataJob]
) -> DataJob:
    with placed_in(path, overrides):
        with problems_of_data_too(lambda: sound_data(path, overrides), look):
            job = load(path, overrides)
        _require(look(job.data))
    return job


def _loaded(path: str | Path, overrides: Sequence[str], model: type[AnyJob]) -> AnyJob:
    file = str(path)
    document = _read_document(Path(path), file)
    twice = document.findings[:MOST_FINDINGS]
    problems = [Origin(file, document.lines).problem(finding) for finding in twice]
    if not isinstance(document.data, dict):
        told = "is empty" if document.data is None else f"holds {shown(document.data)}"
        raise SpecError([Problem("", f"{told}, but must hold keys and values, such as `name: digits`", file)])
    origin = Origin(file, document.lines)
    if isinstance(kind := document.data.get("kind"), str) and kind.strip().lower() == "meta" != kind:
        raise SpecError([Problem("kind", f"is {shown(kind)}, but must be `meta`, or left out", file)])
    if (document.data.get("kind") == "meta") == (model is Job):
        told = "is a job of meta-training; run it with" if model is Job else "has no `kind: meta`; run it with"
        command = "graft meta-train" if model is Job else "graft run"
        raise SpecError([Problem("kind", f"{told} `{command} {file}`", file)])
    lies_somewhere = os.path.isfile(path) and not _is_open_already(file)
    base = Path(path).absolute().parent if lies_somewhere else Path.cwd()
    return _validated(document.data, overrides, (origin, base, model), problems)


def parse_job(raw: Mapping[str, Any] | Job, overrides: Sequence[str] = ()) -> Job:
    """Validate a job given as a mapping; the same rules as for a job file. `raw` is not changed.

    A relative `data.path` starts at the current directory.

    Args:
        raw: what a job file would hold; any part of it, or all, may be the spec object instead.
        overrides: ``a.b=value`` texts; the last one of a key wins.

    Raises:
        SpecError: something is wrong; all problems at once.
    """
    if not isinstance(raw, Mapping | Job):
        raise SpecError(f"the job is {shown(raw)}, but must be a mapping of keys to values, or the path of a job file")
    try:
        plain = _plain(raw)
    except RecursionError:
        raise SpecError("the job holds itself, or is nested without end; give each value once") from None
    return _validated(plain, overrides, (Origin(), Path.cwd(), Job), [])


def _validated(
    raw: dict[str, Any],
    overrides: Sequence[str],
    meant: tuple[Origin, Path, type[AnyJob]],
    problems: list[Problem],
) -> AnyJob:
    origin, base, model = meant
    given, bad = read_overrides(overrides)
    problems = [*problems, *bad]
    made: set[tuple[str | int, ...]] = set()
    for override in given:
        try:
            made.update(apply_override(raw, override))
        except ValueError as error:
            problems.append(Problem(f"--set {'.'.join(override.path)}", str(error)))
    origin = replace(origin, overrides=tuple(override.path for override in given), made=frozenset(made))
    if _sets_data_path(given):
        base = Path.cwd()
    told = [*credential_findings(raw)]
    try:
        job = model.model_validate(raw, context={BASE: str(base)})
    except ValidationError as error:
        places = {finding.path for finding in told}
        told += [finding for finding in findings_of(error, model) if finding.path not in places]
    problems += [origin.problem(finding) for finding in told]
    if problems:
        raise SpecError(sorted(problems, key=lambda problem: problem.line or 0))
    return job


def _sets_data_path(overrides: Sequence[Override]) -> bool:
    return any(
        override.path == ("data", "path") or (override.path == ("data",) and isinstance(override.value, dict))
        for override in overrides
    )


def _read_document(path: Path, file: str) -> Document:
    try:
        return read_yaml(_read_text(path))
    except YamlError as error:
        raise SpecError([Problem("", error.message, file, error.line, error.column)]) from error


def _read_text(path: Path) -> str:
    """The text of the file, of which no more than the cap is ever read."""
    try:
        _require_file(path)
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        told = f"does not exist, but must be a job file; {advice_for_missing(path)}"
        raise YamlError(told) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise YamlError(f"cannot be read ({reason})") from error
    if len(content) > MAX_BYTES:
        raise YamlError(f"is larger than {MAX_BYTES:,} bytes, but a job file must be smaller; is it the right file?")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _is_utf_16(content):
        raise YamlError("is UTF-16 text, but must be UTF-8; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise YamlError("is not UTF-8 text, but must be; save it as UTF-8", line, column) from error


def _is_utf_16(content: bytes) -> bool:
    """Whether text of two bytes a character has no mark: nearly all NULs of it stand at even places, or at odd ones."""
    halves = content[::2].count(0), content[1::2].count(0)
    return 3 * sum(halves) > len(content) > 0 and max(halves) > 10 * min(halves)


def _require_file(path: Path) -> None:
    """Nothing that waits for ever; a shell's own pipe, as `<(…)` makes it, has somebody at its other end."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise YamlError("is a directory, but must be a job file; `graft init` writes one for the data in a directory")
    if not stat.S_ISREG(mode) and not _is_open_already(str(path)):
        raise YamlError("is not a regular file, but must be a job file; save the job to one")


def _is_open_already(path: str) -> bool:
    """Whether a path is that of a stream that the shell has opened, wherever what flows from it lies."""
    return path.startswith(_OPEN_ALREADY)


def _plain(value: Any) -> Any:
    """A copy in the types that YAML gives, so that both ways into a job follow one set of rules."""
    if isinstance(value, Spec):
        return value.model_dump(mode="json")
    if isinstance(value, StrategySpace):
        return value.dump()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
