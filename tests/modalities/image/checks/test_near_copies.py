"""Near copies are found whatever was done to them, and what only looks alike is not."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fixtures.dirty import brighter, drawing

from graft.data.examination.examined import Examined
from graft.modalities.image.checks.near_copies import near_copies, near_groups
from graft.modalities.image.read import FileReader
from graft.modalities.image.storage import ImageDecoder, StoredImages
from graft.spec.checks.pictures import NearCopyCheck


def saved(image: Image.Image, form: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def examined(where: Path, contents: list[bytes]) -> Examined:
    names = []
    for number, content in enumerate(contents):
        path = where / f"{number:03d}.png"
        path.write_bytes(content)
        names.append(str(path).encode())
    block = ImageDecoder(FileReader(10**7), StoredImages(32))(names)
    count = len(contents)
    return Examined(
        ids=[Path(name.decode()).name for name in names],
        digests=np.array(block.digests, dtype=object),
        targets=np.zeros(count, np.int64),
        names=("one",),
        splits=np.zeros(count, np.uint8),
        movable=np.ones(count, bool),
        signs=block.signs,
        columns={name: np.asarray(column) for name, column in block.columns.items()},
        modality="image",
    )


CHANGED: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda image: saved(image, "JPEG", quality=40),
    "another format": lambda image: saved(image, "BMP"),
    "smaller": lambda image: saved(image.resize((60, 45)), "PNG"),
    "larger": lambda image: saved(image.resize((300, 225)), "PNG"),
    "brighter": lambda image: saved(brighter(image, 25), "PNG"),
    "darker": lambda image: saved(brighter(image, -25), "PNG"),
    "grey": lambda image: saved(image.convert("L"), "PNG"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_copy_is_found_whatever_was_done_to_it(tmp_path: Path, what: str) -> None:
    whole = [saved(drawing(seed), "PNG") for seed in range(40)]
    changed = [CHANGED[what](drawing(seed)) for seed in range(0, 40, 2)]
    seen = examined(tmp_path, whole + changed)
    groups = near_groups(seen)
    found = [groups[40 + place] == groups[2 * place] != -1 for place in range(20)]
    assert np.mean(found) == 1.0
    assert (groups[1:40:2] == -1).all()
    (finding,) = near_copies(NearCopyCheck(), seen)
    assert finding.rows.tolist() == list(range(40, 60))
    assert finding.twins[41] == 2


def test_copies_bit_for_bit_are_told_elsewhere(tmp_path: Path) -> None:
    one = saved(drawing(0), "PNG")
    seen = examined(tmp_path, [one, one, saved(drawing(0), "JPEG"), saved(drawing(1), "PNG")])
    (finding,) = near_copies(NearCopyCheck(), seen)
    assert finding.rows.tolist() == [2]
    assert near_groups(seen).tolist()[3] == -1


def test_small_and_blank_images_say_nothing(tmp_path: Path) -> None:
    small = [saved(drawing(0).resize((30, 24)), "PNG"), saved(drawing(0).resize((30, 24)), "BMP")]
    blank = [saved(Image.new("L", (64, 64), shade), "PNG") for shade in (3, 4)]
    assert (near_groups(examined(tmp_path, small + blank)) == -1).all()


def test_chains_of_images_that_look_alike_are_no_copies(tmp_path: Path) -> None:
    seen = examined(tmp_path, [saved(drawing(seed), "PNG") for seed in range(60)])
    # Each is three bits from the next, all the way.
    steps = np.array([(1 << (3 * step % 64)) | 0b1 for step in range(60)], dtype=np.uint64)
    chain = np.bitwise_xor.accumulate(steps)
    signs = {**seen.signs, "phash": chain, "dhash": np.zeros(60, np.uint64)}
    groups = near_groups(replace(seen, signs=signs, _derived={}))
    assert np.bincount(groups[groups >= 0], minlength=1).max() <= 10
