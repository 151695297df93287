"""From the signs of texts to findings: damaged, hidden and personal characters, near copies, odd lengths."""

from collections.abc import Iterator

import numpy as np

from graft.data.columns import Ragged
from graft.data.examination.copies import ALONE, joined_groups
from graft.data.examination.examined import Examined
from graft.data.examination.extra_copies import extra_near_copies
from graft.data.examination.found import Found
from graft.modalities.text.checks.near_duplicates import near_pairs
from graft.modalities.text.checks.personal_data import SORTS
from graft.modalities.text.checks.signs import CHARACTERS, FLAGS, PERSONAL, SHINGLES
from graft.modalities.text.storage import TEXT
from graft.spec.checks.texts import (
    CharacterCheck,
    EmptyTextCheck,
    PersonalDataCheck,
    TextCopiesCheck,
    TextLengthCheck,
)

_FEWEST = 50
_NARROWEST = 0.3
"""No deviation of the logarithm of lengths counts as smaller: where all are alike, a little is not far."""


def odd_characters(spec: CharacterCheck, examined: Examined) -> Iterator[Found]:
    """Texts with what a reader does not see, or takes for something else."""
    for kind in FLAGS:
        if kind in examined.signs:
            yield Found(kind, np.flatnonzero(examined.signs[kind]).astype(np.int64))


def personal(spec: PersonalDataCheck, examined: Examined) -> Iterator[Found]:
    """Texts with personal-looking data: which sorts and how many, never what."""
    if PERSONAL not in examined.signs or not len(examined):
        return
    counts = np.asarray(examined.signs[PERSONAL]).reshape(len(examined), -1)
    totals = counts.sum(axis=0)
    told = ", ".join(_counted(sort, total) for sort, total in zip(SORTS, totals.tolist(), strict=True) if total)
    yield Found("personal_data", np.flatnonzero(counts.any(axis=1)).astype(np.int64), detail=told)


def empty_texts(spec: EmptyTextCheck, examined: Examined) -> Iterator[Found]:
    """Texts that were left out because there is nothing in them."""
    found = sorted(one.path for one in examined.left_out if one.kind == "empty_text")
    yield Found("empty_text", subjects=tuple(found))


def near_copies(spec: TextCopiesCheck, examined: Examined) -> Iterator[Found]:
    """Every near copy but one of each group; copies character for character are found elsewhere."""
    yield from extra_near_copies(examined, examined.derived(spec.groups_by, near_groups))


def near_groups(examined: Examined) -> np.ndarray:
    """int64 [N], the number of each one's group of near copies, copies included; -1 without any."""
    column = examined.columns.get(TEXT)
    if SHINGLES not in examined.signs or not isinstance(column, Ragged) or len(examined) < 2:
        return np.full(len(examined), ALONE, dtype=np.int64)
    similarity = TextCopiesCheck.model_validate({**examined.checks.get("text_copies", {})}).similarity
    pairs = near_pairs(examined.signs[SHINGLES], lambda row: _text(column, row), similarity)
    return joined_groups(len(examined), pairs)


def odd_lengths(spec: TextLengthCheck, examined: Examined) -> Iterator[Found]:
    """Texts that are far longer or shorter than the others: more than six deviations of the logarithm."""
    if CHARACTERS not in examined.signs or len(examined) < _FEWEST:
        return
    lengths = np.asarray(examined.signs[CHARACTERS])
    logarithms = np.log(np.maximum(lengths, 1))
    distances = np.abs(logarithms - np.median(logarithms))
    deviation = max(1.4826 * float(np.median(distances)), _NARROWEST)
    rows = np.flatnonzero(distances > spec.deviations * deviation).astype(np.int64)
    reasons = {row: f"has {lengths[row]} characters" for row in rows.tolist()}
    yield Found("outlier", rows, detail=f"the usual length is {int(np.median(lengths))} characters", reasons=reasons)


def _text(column: Ragged, row: int) -> str:
    return bytes(column.row(row)).decode("utf-8", "replace")


def _counted(sort: str, count: int) -> str:
    return f"{count} {sort}{'' if count == 1 else 'es' if sort.endswith('s') else 's'}"
