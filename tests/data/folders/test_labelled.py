import pytest

from graft.core.storage import canonical_json, text_digest
from graft.data.folders import labelled


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_identity_is_that_of_one_text(count):
    """As when all of it was one text: folders that have been ingested are found again."""
    found = [(f'a "{row}" é', row, 10**18 + row) for row in range(count)]
    given = [row % 3 for row in range(count)]
    whole = canonical_json(["/photos", [(*facts, code) for facts, code in zip(found, given, strict=True)]])
    assert labelled._identity("/photos", found, given) == text_digest(whole)
