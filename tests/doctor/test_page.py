"""What a page shows is text, whatever names and samples hold."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from graft.data.dataset import Quarantined
from graft.data.examination.finding import Finding
from graft.data.overview import Ignored
from graft.doctor.page import page
from graft.doctor.png import data_uri, png
from graft.doctor.report import Report

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\u202egnp.exe"


def report(name: str, preview: Any = None) -> Report:
    finding = Finding("duplicate", "warning", 1, (name,), "keep", name, (f"is a copy of {name}",), (name,))
    return Report(
        name, "image", name, 3, {"train": 3}, (finding,), (Quarantined(name, name),), (Ignored(name, 1, (name,)),),
        previews={} if preview is None else {name: preview}, notes=(name,),
    )  # fmt: skip


@given(some.text() | some.just(HOSTILE))
def test_names_and_texts_are_shown_as_text(name: str) -> None:
    text = page(report(name, name))
    body = text.partition("<body>")[2]
    assert not re.search(r"<(script|iframe|object|link)\b", body)
    assert not re.search(r"\son\w+=", re.sub(r">[^<]*<", "><", body))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_texts_are_shown_in_part() -> None:
    assert page(report("a.txt", "word " * 1000)).count("word") < 200


def test_samples_that_nobody_should_read_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from graft.doctor import page as module
    from graft.spec.checks.kinds import DUPLICATE

    monkeypatch.setattr(module, "finding_kinds", lambda: {"duplicate": replace(DUPLICATE, is_shown=False)})
    assert "my secret" not in page(report("a.txt", "my secret"))


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 3), (64, 64, 1), (96, 20, 3)])
def test_pictures_are_what_they_were(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    opened = np.asarray(Image.open(io.BytesIO(png(values)))).reshape(shape)
    np.testing.assert_array_equal(opened, values)
    assert base64.b64decode(data_uri(png(values)).partition(",")[2]) == png(values)


@pytest.mark.parametrize("shape", [(1, 1, 3), (300, 200, 3), (97, 3, 1), (1024, 1024, 3)])
def test_large_pictures_are_shrunk(shape: tuple[int, int, int]) -> None:
    text = page(report("a.png", np.zeros(shape, np.uint8)))
    picture = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])))  # type: ignore[index]
    assert max(picture.size) <= 96
