import io
import warnings

import numpy as np
import pytest
from PIL import Image

from graft.tasks.drawing import new_figure, samples_picture, shorten, to_png

# Formulas, good and broken ones; what a font lacks; what cannot be drawn at all.
NAMES = [
    "$x$",
    "$\\frac{$",
    "$\\bad$ _ ^ \\",
    "a_b^c",
    "\\$5",
    "数字 \U0001f600",
    "\x1b[31mred",
    "two\nlines",
    "\u202egnp",
    "\udc80",
]


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("text", ["", "one", "word " * 400, "x" * 5000, "a $5 and $6_x note", "new\nline\ttab", *NAMES])
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


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_drawn_as_it_is_wherever_it_stands(name, caplog):
    figure = new_figure(4, 4)
    axes = figure.add_subplot()
    axes.set(xlabel=shorten(name), ylabel=shorten(name), title=shorten(name))
    axes.set_xticks([0, 1], [shorten(name), shorten(name)], rotation=90)
    axes.text(0.5, 0.5, shorten(name))
    figure.text(0.1, 0.1, shorten(name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = opened(to_png(figure))
    assert shown.std() > 0
    assert caplog.records == []


def test_a_name_between_dollars_is_no_formula():
    first, second = (samples_picture(["text"], [title], ["1"]) for title in ("$x$", "x"))
    assert first != second


def test_what_cannot_be_seen_is_drawn_as_an_escape():
    assert shorten("a\nb\u202ec") == r"a\nb\u202ec"
