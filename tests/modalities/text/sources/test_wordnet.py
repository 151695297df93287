"""WordNet's definitions as texts."""

from pathlib import Path

import pytest

from graft.core.errors import DataError
from graft.data.listing import Listing
from graft.modalities.text.sources.wordnet import list_wordnet
from graft.spec.modalities.text import WordnetData

DATABASE = """  1 This software and database is being provided to you
00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 | that which is perceived
00015388 05 n 01 animal 0 001 @ 00004475 n 0000 | a living organism; "a cat | or a dog"
00017222 20 n 01 plant 0 001 @ 00004475 n 0000 | a living organism without locomotion
00017223 20 n 01 herb 0 001 @ 00004475 n 0000 | a living organism without locomotion
00017224 13 n 01 food 0 001 @ 00004475 n 0000 | "only an example"
"""


def listed(directory: Path, part: str = "noun") -> Listing:
    return list_wordnet(WordnetData(path=directory, part=part))


def test_definitions_have_the_kind_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text(DATABASE)
    listing = listed(tmp_path)
    assert [bytes(source).decode() for source in listing.sources] == [
        "a living organism", "a living organism without locomotion",
    ]  # fmt: skip
    assert [listing.targets.categories[code] for code in listing.targets.values] == ["animal", "plant"]
    assert listing.ids == ("noun/00015388", "noun/00017222")


@pytest.mark.parametrize("content", [None, "no database"])
def test_what_is_no_database_is_one_line(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "data.verb").write_text(content)
    with pytest.raises(DataError, match="WordNet") as caught:
        listed(tmp_path, "verb")
    assert "\n" not in str(caught.value)
