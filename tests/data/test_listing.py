import pytest

from graft.core.errors import DataError, SpecError
from graft.data.folders.paths import require_directory
from graft.data.listing import list_samples
from graft.spec.load import parse_job
from graft.spec.modalities.image import DigitsData
from graft.spec.registry import implementation, members


def test_every_kind_of_the_job_file_is_registered_and_importable():
    kinds = members("data_kind")
    assert tuple(kinds)[:6] == ("digits", "idx", "image_folder", "text_folder", "wordnet", "table")
    for kind in kinds.values():
        assert callable(implementation(kind.model_construct()))


def test_an_unknown_kind_is_suggested():
    with pytest.raises(SpecError, match="did you mean `digits`"):
        parse_job({"data": {"kind": "digit"}})


def test_samples_are_listed_as_their_kind_does():
    found: list[int] = []
    listing = list_samples(DigitsData(), found.append)
    assert len(listing) == len(listing.targets) == len(listing.sources) == found[-1] == 1797


@pytest.mark.parametrize("kind", members("data_kind"))
def test_the_look_at_a_kind_is_importable(kind):
    target = members("data_kind")[kind].overview_by
    assert not target or callable(implementation(members("data_kind")[kind].model_construct(), target))


def test_a_directory_must_be_one(tmp_path):
    with pytest.raises(DataError, match="there is nothing there"):
        require_directory(tmp_path / "gone")
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="must be a directory, not a file"):
        require_directory(tmp_path / "data.zip")
    assert require_directory(str(tmp_path)) == tmp_path
