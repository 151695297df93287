"""What an exploration keeps of its samples: damaged or gone, it is made again, from the same samples only."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.core.storage import read_json, write_json
from graft.journal.explorations import ExplorationStarted
from graft.pipeline.exploration.backbone import PoolFeatures
from graft.pipeline.exploration.kept_pool import FACTS, FEATURES, digest_of, kept_pool
from graft.pipeline.exploration.pool import Pool

IDS = ("a.png", "b.png", "c.png")
BEGUN = ExplorationStarted("points", "photos", 3, {}, ids=digest_of(IDS))
BEFORE_IDS_WERE_KEPT = replace(BEGUN, ids="")


class Reader:
    """In place of a backbone; counts how often the samples were read."""

    def __init__(self) -> None:
        self.times = 0

    def features(self, samples: Any, scratch: Path, told: Any) -> PoolFeatures:
        self.times += 1
        return PoolFeatures(np.arange(2.0 * len(samples), dtype=np.float32).reshape(-1, 2), {})


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def pool(reader: Reader) -> Pool:
    return Pool("points", "photos", reader, IDS, IDS)  # type: ignore[arg-type]


def kept(directory: Path, pool: Pool, begun: ExplorationStarted | None = BEGUN) -> Any:
    return kept_pool(directory, pool, begun, lambda done, of: None)


def test_it_is_read_once(tmp_path: Path, pool: Pool, reader: Reader) -> None:
    first, again = kept(tmp_path / "pool", pool, None), kept(tmp_path / "pool", pool)
    assert (first.ids, again.ids, reader.times) == (IDS, IDS, 1)
    assert np.array_equal(first.features, again.features)


def cut(directory: Path) -> None:
    whole = (directory / FEATURES).read_bytes()
    (directory / FEATURES).write_bytes(whole[:-4])


def flip(directory: Path) -> None:
    content = bytearray((directory / FEATURES).read_bytes())
    content[-1] ^= 1
    (directory / FEATURES).write_bytes(content)


DAMAGES: list[Callable[[Path], object]] = [
    cut,
    flip,
    lambda directory: (directory / FEATURES).write_bytes(b""),
    lambda directory: (directory / FEATURES).unlink(),
    lambda directory: (directory / FACTS).write_text("{"),
    lambda directory: (directory / FACTS).write_text("[1]"),
    lambda directory: (directory / FACTS).write_text("{}"),
    lambda directory: directory.rename(directory.with_name("away")),
]


@pytest.mark.parametrize("begun", [BEGUN, BEFORE_IDS_WERE_KEPT])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_or_gone_it_is_made_again_of_the_same_samples(
    tmp_path: Path, pool: Pool, reader: Reader, damage: Any, begun: ExplorationStarted
) -> None:
    whole = kept(tmp_path / "pool", pool, None)
    damage(tmp_path / "pool")
    for _ in range(2):
        again = kept(tmp_path / "pool", pool, begun)
        assert np.array_equal(again.features, whole.features)
    assert reader.times == 2


@pytest.mark.parametrize("begun", [BEGUN, BEFORE_IDS_WERE_KEPT])
def test_of_other_samples_it_is_not_made_again(tmp_path: Path, pool: Pool, begun: ExplorationStarted) -> None:
    kept(tmp_path / "pool", pool, None)
    cut(tmp_path / "pool")
    fewer = replace(pool, ids=IDS[1:], samples=IDS[1:])
    with pytest.raises(DataError, match=r"2 samples that can be read, and not the 3 .* begin another one with --name"):
        kept(tmp_path / "pool", fewer, begun)


def test_of_other_samples_with_the_same_names_it_is_not_made_again(tmp_path: Path, pool: Pool) -> None:
    """A table that was sorted has other texts in the same rows."""
    first = kept(tmp_path / "pool", pool, None)
    begun = replace(BEGUN, contents=digest_of(first.contents))
    cut(tmp_path / "pool")
    assert kept(tmp_path / "pool", pool, begun).contents == first.contents
    cut(tmp_path / "pool")
    with pytest.raises(DataError, match=r"the same names, but not the same .* begin another one with --name"):
        kept(tmp_path / "pool", replace(pool, samples=IDS[::-1]), begun)


def test_what_a_version_before_has_kept_is_read(tmp_path: Path, pool: Pool, reader: Reader) -> None:
    kept(tmp_path / "pool", pool, None)
    facts = read_json(tmp_path / "pool" / FACTS)
    write_json(tmp_path / "pool" / FACTS, {name: facts[name] for name in ("ids", "left_out", "features")})
    assert (kept(tmp_path / "pool", pool).contents, reader.times) == ((), 1)


def test_samples_that_come_later_are_for_another_exploration(tmp_path: Path, pool: Pool) -> None:
    kept(tmp_path / "pool", pool, None)
    more = replace(pool, ids=("0.png", *IDS), samples=("0.png", *IDS))
    assert kept(tmp_path / "pool", more).ids == IDS
