"""Whatever kind of data says that `graft init` can find it, can be asked."""

from pathlib import Path

import pytest

from graft.core.errors import DataError
from graft.data.draft import Wish, drafts_of, kinds_with_draft


def test_the_kinds_that_have_a_path_of_their_own_can_be_found() -> None:
    assert set(kinds_with_draft()) >= {"image_folder", "text_folder", "idx", "table"}


@pytest.mark.parametrize("kind", kinds_with_draft())
def test_what_is_not_of_a_kind_is_none_of_its(kind: str, tmp_path: Path) -> None:
    assert drafts_of(tmp_path, Wish(kind=kind)) == []
    note = tmp_path / "note.xyz"
    note.write_text("x")
    if kind == "table":
        with pytest.raises(DataError, match="must end in one of"):
            drafts_of(note, Wish(kind=kind))
    else:
        assert drafts_of(note, Wish(kind=kind)) == []
