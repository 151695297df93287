import numpy as np
import pytest

from graft.core.storage import canonical_json, text_digest
from graft.data.contents.packed import Texts
from graft.data.decoding.versions import version_of
from graft.data.folders import labelled
from graft.data.folders.tree import Folder, Tree


class _Numbered:
    """Files whose size is their number."""

    def source(self, path: str) -> bytes:
        return path.encode()

    def stamps(self, paths):
        return [(row, 10**18 + row) for row, _ in enumerate(paths)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_identity_is_that_of_one_text(count):
    """As when all of it was one text: folders that have been ingested are found again."""
    names, given = Texts(f'a "{row}" é' for row in range(count)), np.arange(count, dtype=np.uint8) % 3
    facts = [(f"/photos/{name}", row, 10**18 + row) for row, name in enumerate(names)]
    whole = canonical_json(["/photos", [[*one, row % 3] for row, one in enumerate(facts)]])
    identity, versions = labelled._stamped(Tree("/photos", Folder("")), names, _Numbered(), given)
    assert identity == text_digest(whole)
    assert versions == [version_of(*one) for one in facts]
