"""Samples in tar archives: members ``key.jpg``, ``key.cls``, … that stand beside each other are one sample.

The format is WebDataset's (Aizman, Maltby and Breuel, 2019, https://arxiv.org/abs/2001.01858). A key is the path up to
the first dot of the name, an ending what stands behind it. Only headers and labels are read here: what a sample holds
is read later, from its place in the shard. Members of any other ending, ``.pkl`` and ``.pt`` above all, never are.
"""

import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data import unique_keys
from graft.data.archives.shards import SUFFIX, shards_of
from graft.data.archives.tar_members import Member, members_of
from graft.data.contents.coded import Coded
from graft.data.contents.made import Made
from graft.data.contents.packed import Packed, Texts
from graft.data.contents.parts import FileParts, StampedFile, part, place_of
from graft.data.contents.placed import PlacedSamples
from graft.data.decoding.versions import version_of
from graft.data.folders.paths import printable
from graft.data.overview import Progress, Tally
from graft.data.read import Unreadable
from graft.data.split import UNASSIGNED, code_of
from graft.data.splits.names import split_within
from graft.data.tables.labels import Place, as_numbers, raw_targets
from graft.data.targets import RawTargets
from graft.spec.modalities.webdataset import WebDatasetData

_MOST_LABEL_BYTES = 64 * 1024
_PROGRESS_EVERY = 10_000
_SHOWN_ENDINGS = 12


@dataclass
class _Found:
    """What has been found so far."""

    ids: Texts = field(default_factory=Texts)
    sources: Packed = field(default_factory=Packed)
    labels: Coded = field(default_factory=Coded)
    shards: "array.array[int]" = field(default_factory=lambda: array.array("i"))
    endings: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    lacking: Tally = field(default_factory=Tally)


def list_shards(spec: WebDatasetData, most: int, progress: Progress | None = None) -> PlacedSamples:
    """List the samples of all shards.

    Args:
        spec: the section `data`.
        most: bytes that a sample may have.
        progress: told now and then how many samples have been found.

    Raises:
        DataError: a shard is missing, compressed or damaged, holds no samples with labels, or labels are none that a
            task can have.
    """
    shards, found = shards_of(spec.path, progress), _Found()
    stamps = tuple(StampedFile.of(shard.path) for shard in shards)
    for number, shard in enumerate(shards):
        _Members(spec, number, shard.path, FileParts(stamps, _MOST_LABEL_BYTES)).collect(found, shard.name, progress)
    if progress is not None:
        progress(len(found.ids))
    _check_found(spec, found)
    splits = np.array([_split(shard.name, spec) for shard in shards], dtype=np.uint8)
    facts = [shard.facts for shard in shards]
    settings = [spec.sample, spec.label, spec.key, spec.label_names, spec.split]
    return PlacedSamples(
        ids=found.ids,
        sources=found.sources,
        contents=FileParts(stamps, most),
        targets=_targets(spec, found.labels),
        given=splits[np.frombuffer(found.shards, dtype=np.int32)],
        identity=text_digest(canonical_json([facts, settings])),
        versions=Made(len(found.ids), partial(_version, facts, found.sources)),
        ignored=(*found.tally.result(), *found.lacking.result()),
    )


def _version(facts: Sequence[Sequence[str | int]], sources: Sequence[bytes], row: int) -> str:
    """A shard that has not changed holds what it held, whatever others are added."""
    number, offset, size = place_of(sources[row])
    return version_of(*facts[number], offset, size)


def samples_of(path: Path, leave_out: Callable[[str, Member], None]) -> Iterator[tuple[str, dict[str, Member]]]:
    """The samples of a shard: the key of each, and its members by their endings.

    Args:
        path: of the shard.
        leave_out: told of each member that is no file, and why.

    Raises:
        DataError: as for `members_of`.
    """
    key, sample = "", dict[str, Member]()
    for member in members_of(path):
        this, ending = _split_name(member.name)
        reason = member.refused or ("hidden" if not this.rpartition("/")[2] else "")
        if reason:
            leave_out(reason, member)
            continue
        if this != key or ending in sample:
            if sample:
                yield key, sample
            key, sample = this, {}
        sample[ending] = member
    if sample:
        yield key, sample


def _split_name(name: str) -> tuple[str, str]:
    """Key and ending, as webdataset has them: the first dot of the last part divides."""
    folder, slash, last = name.rpartition("/")
    stem, _, ending = last.partition(".")
    return folder + slash + stem, ending.lower()


class _Members:
    def __init__(self, spec: WebDatasetData, number: int, path: Path, labels: FileParts) -> None:
        self._spec, self._number, self._path, self._labels = spec, number, path, labels
        self._endings = [part.strip().lower() for part in spec.sample.split(";")]

    def collect(self, found: _Found, name: str, progress: Progress | None) -> None:
        def leave_out(reason: str, member: Member) -> None:
            found.tally.add(reason, f"{name}/{printable(member.name)}")

        for key, sample in samples_of(self._path, leave_out):
            shown = f"{name}/{printable(key)}"
            found.endings.update(sample.keys())
            place = next((sample[ending] for ending in self._endings if ending in sample), None)
            label = sample.get(self._spec.label.lower())
            if place is None or label is None:
                lacks = self._spec.sample if place is None else self._spec.label
                found.lacking.add(f"no .{lacks} member", shown)
                continue
            found.labels.append(self._label(label, shown))
            found.ids.append(shown)
            found.sources.append(part(self._number, place.offset, place.size))
            found.shards.append(self._number)
            if progress is not None and len(found.ids) % _PROGRESS_EVERY == 0:
                progress(len(found.ids))

    def _label(self, member: Member, shown: str) -> Any:
        try:
            content = self._labels(part(self._number, member.offset, member.size))
            text = content.decode("utf-8-sig").strip()
        except Unreadable:
            raise DataError(
                f"the label of {shown} has {member.size} bytes, but may have {_MOST_LABEL_BYTES}; name another ending "
                "in data.label"
            ) from None
        except UnicodeDecodeError:
            raise DataError(f"the label of {shown} is no UTF-8 text; name another ending in data.label") from None
        if member.name.lower().endswith("json"):
            return _from_json(text, self._spec.key, shown)
        return text or None


def _from_json(text: str, key: str | None, shown: str) -> Any:
    try:
        value = unique_keys.loads(text)
    except unique_keys.DuplicateKeyError as error:
        raise DataError(f"the label of {shown} {error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"the label of {shown} is no JSON ({type(error).__name__}); correct it") from error
    for name in key.split(".") if key else ():
        if not isinstance(value, dict) or name not in value:
            there = ", ".join(f"`{one[:40]}`" for one in list(value)[:12]) if isinstance(value, dict) else "none"
            raise DataError(f"the label of {shown} has no key `{key}`; its keys are {there}")
        value = value[name]
    if isinstance(value, dict):
        there = ", ".join(f"`{one[:40]}`" for one in list(value)[:12])
        raise DataError(f"the label of {shown} is an object with the keys {there}; name one in data.key")
    return value


def _check_found(spec: WebDatasetData, found: _Found) -> None:
    """Samples were found, and no more lack something than `data.max_unreadable` allows.

    Raises:
        DataError: else.
    """
    lacking = found.lacking.result()
    count, total = sum(one.count for one in lacking), len(found.ids) + sum(one.count for one in lacking)
    if len(found.ids) and count <= spec.max_unreadable * total:
        return
    shown = ", ".join(f"{ending or 'none'} ({times})" for ending, times in found.endings.most_common(_SHOWN_ENDINGS))
    told = "; ".join(map(str, lacking)) or "no members"
    raise DataError(
        f"{spec.path}: {count} of {total} samples lack a member ({told}), but data.max_unreadable allows "
        f"{spec.max_unreadable:g}; their endings are {shown or 'none'}: name those of samples and labels"
    )


def _targets(spec: WebDatasetData, labels: Coded) -> RawTargets:
    place = Place(PurePath(spec.path).name, f".{spec.label}" + (f" {spec.key}" if spec.key else ""))
    names = spec.label_names
    if names is not None:
        return RawTargets(_codes(place, labels, len(names)), names)
    is_class = spec.label.lower() == "cls"
    if not is_class and all(label is None or isinstance(label, str) for label in labels.different):
        labels = as_numbers(labels)
    targets = raw_targets([(place, labels)])
    return replace(targets, columns=()) if is_class else targets


def _codes(place: Place, labels: Coded, count: int) -> np.ndarray:
    """Labels that count the names of `data.classes`."""
    codes = []
    for row, label in zip(labels.firsts, labels.different, strict=True):
        text = str(label)
        if not text.isdecimal() or not text.isascii() or int(text) >= count:
            raise DataError(
                f"{place} is `{text[:40]}` in sample {row + 1}, but data.classes names 0 to {count - 1}; name all, or "
                "leave it out"
            )
        codes.append(int(text))
    return labels.taken(codes, np.int64)


def _split(name: str, spec: WebDatasetData) -> int:
    """What the name of a shard says, or that of its directory below the one that the job names."""
    if spec.split == "none":
        return UNASSIGNED
    names = name.removesuffix(SUFFIX).split("/")[::-1]
    found = [split for split in map(split_within, names) if split]
    return code_of(found[0]) if found else UNASSIGNED
