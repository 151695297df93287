"""What is seen in each text while it is decoded; kept beside the dataset, and what checks go by."""

from collections.abc import Mapping, Sequence

import numpy as np

from graft.modalities.text.checks.characters import has_invisible, has_look_alikes, is_damaged
from graft.modalities.text.checks.markup import has_markup
from graft.modalities.text.checks.near_duplicates import signatures
from graft.modalities.text.checks.personal_data import SORTS, personal_data

FLAGS = {
    "encoding": is_damaged,
    "invisible_characters": has_invisible,
    "homoglyph": has_look_alikes,
    "markup": has_markup,
}
"""By the kind of finding that each tells."""

SHINGLES, PERSONAL, CHARACTERS = "shingles", "personal_data", "characters"


def text_signs(texts: Sequence[str], kept: Sequence[str]) -> Mapping[str, np.ndarray]:
    """The signs of some texts.

    Args:
        texts: as they were read.
        kept: the same after repairs; copies are looked for among these.

    Returns:
        bool [n] for each of `FLAGS`; uint16 [n, 128], signatures; int32 [n, sorts of personal data], counts; int32 [n],
        characters.
    """
    flags = {name: np.array([flag(text) for text in texts], dtype=bool) for name, flag in FLAGS.items()}
    counts = np.zeros((len(texts), len(SORTS)), dtype=np.int32)
    for row, text in enumerate(texts):
        for sort, count in personal_data(text).items():
            counts[row, SORTS.index(sort)] = count
    return {
        **flags,
        SHINGLES: signatures(kept),
        PERSONAL: counts,
        CHARACTERS: np.array([len(text) for text in texts], dtype=np.int32),
    }
