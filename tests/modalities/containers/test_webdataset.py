"""WebDataset shards: what is read, what is left out, what is told in one line."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.archives import write_tar

from graft.core.errors import DataError, SpecError
from graft.data.draft import Wish, drafts_of
from graft.data.listing import Listing, list_samples
from graft.data.split import UNASSIGNED, Split
from graft.spec.load import parse_job

Noise = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


def listed(path: Path, **changes: Any) -> Listing:
    section = {"kind": "webdataset", "path": str(path), "image": "png"} | changes
    return list_samples(parse_job({"name": "x", "data": {k: v for k, v in section.items() if v is not None}}).data)


@pytest.fixture
def shards(tmp_path: Path, encode: Encode, noise: Noise) -> Path:
    """Two shards for training, one for the test: four samples each, of two classes."""
    for number, name in enumerate(("train-0000", "train-0001", "test-0000")):
        members = []
        for index in range(4):
            key = f"part/{number}{index}"
            members += [(f"{key}.png", encode(noise(6, 8, 3, seed=10 * number + index)))]
            members += [(f"{key}.cls", f"{index % 2}\n".encode()), (f"{key}.pkl", b"never read")]
        write_tar(tmp_path / "shards" / f"{name}.tar", members)
    return tmp_path / "shards"


@pytest.mark.parametrize("pattern", ["", "*.tar", "{train-0000,train-0001,test-0000}.tar"])
def test_shards_are_read_from_their_places(shards: Path, pattern: str, noise: Noise) -> None:
    listing = listed(shards / pattern if pattern else shards)
    assert len(listing) == 12
    assert sorted(listing.given.tolist()) == [int(Split.TEST)] * 4 + [UNASSIGNED] * 8
    assert set(listing.targets.values) == {"0", "1"}
    by_name = dict(zip(listing.ids, listing.sources, strict=True))
    pixels = listing.reader(by_name["train-0001.tar/part/12"], 0).pixels
    assert np.array_equal(pixels, noise(6, 8, 3, seed=12))


def test_ranges_are_in_order_and_names_of_classes_are_given(shards: Path) -> None:
    listing = listed(shards / "train-{0000..0001}.tar", classes=["cat", "dog"])
    assert listing.ids[0].startswith("train-0000.tar")
    assert listing.targets.categories == ("cat", "dog")
    assert listing.targets.values.tolist() == [0, 1] * 4
    assert listed(shards, split="none").given.tolist() == [UNASSIGNED] * 12


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_labels_in_json_and_long_names(tmp_path: Path, form: int, encode: Encode, noise: Noise) -> None:
    name = "a" * 90 + "/" + "ü" * 40 if form != tarfile.USTAR_FORMAT else "a/b"
    members = [
        (f"{name}{index}.{ending}", content)
        for index in range(3)
        for ending, content in (("png", encode(noise(4, 4, 3))), ("json", b'{"of": {"kind": %d.5}}' % index))
    ]
    listing = listed(write_tar(tmp_path / "a.tar", members, form), label="json", key="of.kind")
    assert listing.targets.values.tolist() == [0.5, 1.5, 2.5]
    assert listing.ids[0] == f"a.tar/{name}0"


def test_texts(tmp_path: Path) -> None:
    members = [(f"{n}.{end}", text) for n in range(2) for end, text in (("txt", b"caf\xe9 %d" % n), ("cls", b"bad"))]
    listing = listed(write_tar(tmp_path / "a.tar", members), image=None, text="txt", encoding="cp1252")
    assert [listing.reader(source) for source in listing.sources] == ["café 0", "café 1"]


def test_what_is_no_file_is_left_out_by_its_reason(tmp_path: Path, encode: Encode, noise: Noise) -> None:
    path = tmp_path / "a.tar"
    write_tar(path, [("1.png", encode(noise(4, 4, 3))), ("1.cls", b"a"), ("../../climbs.png", b"x"), ("._1.png", b"x")])
    with tarfile.open(path, "a") as archive:
        for kind, name in ((tarfile.SYMTYPE, "2.png"), (tarfile.LNKTYPE, "3.png"), (tarfile.CHRTYPE, "4.png")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "/etc/passwd"
            archive.addfile(link)
    listing = listed(path)
    assert len(listing) == 1
    assert {one.reason: one.count for one in listing.ignored} == {
        "link": 2, "device": 1, "hidden": 1, "path that leads out of the archive": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("members", "changes", "told"),
    [
        ([("1.png", b"x")], {}, r"1 of 1 samples lack a member \(no .cls member.*endings are png \(1\)"),
        ([("1.png", b"x"), ("1.cls", b"")], {}, "is empty in every row"),
        ([("1.png", b"x"), ("1.cls", b"\xff")], {}, "no UTF-8"),
        ([("1.png", b"x"), ("1.cls", b"1" * 70000)], {}, "has 70000 bytes"),
        ([("1.png", b"x"), ("1.json", b"{}")], {"label": "json"}, "is an object with the keys"),
        ([("1.png", b"x"), ("1.json", b"[" * 10_000)], {"label": "json"}, "no JSON"),
        ([("1.png", b"x"), ("1.json", b'{"a": 1}')], {"label": "json", "key": "b"}, "no key `b`; its keys are `a`"),
        ([("1.png", b"x"), ("1.cls", b"7")], {"classes": ["a", "b"]}, "names 0 to 1"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, members: list[tuple[str, bytes]], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(DataError, match=told) as raised:
        listed(write_tar(tmp_path / "a.tar", members), **changes)
    assert "\n" not in str(raised.value)


def test_a_path_that_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, told in (("no.tar", "nothing there"), ("*.tar", "no file has such a name"), ("empty", "holds no .tar"),
                       ("{1..999999}.tar", "more than")):  # fmt: skip
        with pytest.raises(DataError, match=told):
            listed(tmp_path / name)


def test_a_shard_that_changes_while_it_is_read(shards: Path) -> None:
    listing = listed(shards)
    with (shards / "train-0000.tar").open("ab") as stream:
        stream.write(b"\0" * 512)
    with pytest.raises(DataError, match="has changed while it was read"):
        listing.reader(listing.sources[4], 0)


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    for changes, told in (({"label": "png"}, "must be in members of their own"), ({"image": "png;"}, "is no ending")):
        with pytest.raises(SpecError, match=told):
            listed(tmp_path, **changes)


def test_it_is_found_by_its_path(shards: Path) -> None:
    for path in (shards, shards / "train-0000.tar"):
        draft = drafts_of(path, Wish())[0]
        assert (draft.kind, draft.section) == ("webdataset", {"image": "png", "label": "cls"})
    with pytest.raises(DataError, match=r"end in pkl \(4\)"):
        drafts_of(write_tar(shards / "a.tar", [(f"{n}.pkl", b"x") for n in range(4)]), Wish(kind="webdataset"))
