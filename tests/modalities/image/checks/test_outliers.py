from dataclasses import replace

import numpy as np
import pytest
from tests.fixtures.examined import examined_of

from graft.data.examination.examined import Examined
from graft.modalities.image.checks.outliers import far_from_others, outliers
from graft.spec.checks.pictures import PictureOutlierCheck


def seen(width: np.ndarray, height: np.ndarray, brightness: np.ndarray) -> Examined:
    signs = {"width": width, "height": height, "brightness": brightness.astype(np.float32)}
    return replace(examined_of("image", len(width)), signs=signs)


def kinds(examined: Examined) -> dict[str, list[int]]:
    return {one.kind: one.rows.tolist() for one in outliers(PictureOutlierCheck(), examined)}


def test_what_is_far_from_all_others() -> None:
    draw = np.random.default_rng(0)
    width, height = draw.integers(90, 110, 100), draw.integers(90, 110, 100)
    brightness = draw.normal(120, 10, 100)
    width[3], height[3] = 4000, 4000
    width[5], height[5] = 2, 90
    width[7] = 3000
    brightness[9] = 1
    assert kinds(seen(width, height, brightness)) == {"absurd_size": [5, 7], "outlier": [3, 5, 7, 9]}


def test_images_of_one_size_have_no_outliers() -> None:
    same = np.full(100, 28)
    assert kinds(seen(same, same, np.full(100, 50.0))) == {"absurd_size": [], "outlier": []}


def test_a_set_of_tiny_images_is_not_absurd() -> None:
    tiny = np.full(60, 3)
    assert kinds(seen(tiny, tiny, np.full(60, 50.0)))["absurd_size"] == []


@pytest.mark.parametrize("count", [0, 1, 49])
def test_of_few_nobody_can_say_what_is_usual(count: int) -> None:
    assert not far_from_others(np.r_[np.zeros(count)[1:], [1e9] * min(count, 1)], 0.1).any()
