import io
import warnings

import numpy as np
import pytest
from PIL import Image

from graft.tasks.drawing import plain, samples_picture, shorten


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("text", ["", "one", "word " * 400, "x" * 5000, "a $5 and $6_x note", "new\nline\ttab"])
def test_any_text_can_be_shown(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = opened(samples_picture([text], ["is a\nsays b"], ["row/1"]))
    assert shown.std() > 0


def test_texts_and_arrays_look_different():
    titles, ids = ["t", "t"], ["1", "2"]
    dark, bright = np.zeros((4, 4, 1), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    pictures = [samples_picture(pair, titles, ids) for pair in (["a", "b"], [dark, bright], [dark, dark])]
    assert len(set(pictures)) == 3
    assert opened(pictures[2]).mean() < opened(pictures[1]).mean()


def test_no_sample_is_said_in_words():
    assert opened(samples_picture([], [], [])).std() > 0


def test_there_is_a_title_and_an_id_for_each():
    with pytest.raises(ValueError, match="zip"):
        samples_picture(["a"], ["t"], [])


def test_the_end_of_a_long_name_is_kept():
    assert shorten("photos/of/cats/12.png", 8) == "…/12.png"
    assert plain("$a$") == r"\$a\$"
