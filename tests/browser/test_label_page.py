"""`graft explore --page` in a real browser, by the keyboard alone: names and texts that would do harm do none."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from graft.journal.explorations import LabelGiven, LabelWithdrawn
from graft.journal.journal import journal_path, read

pytestmark = pytest.mark.browser

GRAFT = [sys.executable, "-c", "from graft.cli.main import main; main()"]
HOSTILE = "<img src=x onerror=document.body.remove()>"
SHADES = {"dark": 40, "light": 210, "grey": 120}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures whose names are markup."""
    rng, root = np.random.default_rng(0), tmp_path / "shades"
    root.mkdir()
    for number in range(45):
        name, level = list(SHADES.items())[number % 3]
        pixels = np.clip(rng.normal(level, 25, (48, 64, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"{number:02}-{name}-<script>document.title=1<!script>.png")
    return root


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Texts of two topics that hold markup."""
    food = ("bread", "cheese", "soup", "rice", "cake", "plums")
    rows = [f'"<h1>we ate {one}</h1><script>document.body.remove()</script>"' for one in food]
    rows += [f'"the {one} train was late ‮ again"' for one in food]
    path = tmp_path / "notes.csv"
    path.write_text("\n".join(["text", *rows]), encoding="utf-8")
    return path


@contextmanager
def exploring(home: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address that the command prints, and its process."""
    environment = os.environ | {"GRAFT_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [*GRAFT, "explore", *arguments, "--page", "--no-browser", "--json"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home
    )
    try:
        assert process.stderr
        told = []
        while not (told and "token=" in told[-1]):
            told.append(process.stderr.readline())
            assert told[-1], "".join(told)
        yield next(word for word in told[-1].split() if word.startswith("http://")), process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Labeller:
    """A person with a keyboard."""

    def __init__(self, page: Any) -> None:
        self.page = page

    @property
    def sample(self) -> str:
        return str(self.page.inner_text("#name"))

    def press(self, *keys: str) -> None:
        """Keys that answer; what comes next is waited for."""
        before = self.sample
        for key in keys:
            self.page.keyboard.press(key) if len(key) == 1 or key[0].isupper() else self.page.keyboard.type(key)
        self.page.wait_for_function(
            "before => document.querySelector('#name').textContent !== before "
            "|| document.body.classList.contains('over')",
            arg=before,
        )
        self.page.wait_for_function(
            "() => document.querySelector('#stage').getAttribute('aria-busy') === 'false' "
            "&& document.querySelector('#stage').firstElementChild"
        )

    def answer(self, truth: Callable[[str], str]) -> None:
        """By its digit if the class has one, else by its name."""
        name = truth(self.sample)
        names = self.page.locator("#names li bdi").all_inner_texts()
        if name in names:
            self.press(str(names.index(name) + 1))
        else:
            self.press(name, "Enter")


def shade(sample: str) -> str:
    return sample.split("-")[1]


def given(home: Path, name: str) -> list[Any]:
    events = [event for _, event in read(journal_path(home / "explorations" / name))]
    return [event for event in events if isinstance(event, LabelGiven | LabelWithdrawn)]


def test_pictures_are_labelled_by_the_keyboard_and_a_kill_loses_nothing(folder: Path, tmp_path: Path, screen) -> None:
    asked = [str(folder), "--budget", "30", "--require", "accuracy >= 0.6"]
    with exploring(tmp_path, *asked) as (address, process):
        screen.open(address, "nothing is known")
        assert "token" not in screen.page.url
        assert screen.page.inner_text("#seen") == "seen by efficientnet_lite0"
        me = Labeller(screen.page)
        screen.page.wait_for_selector("#stage img")
        assert "<script>" in me.sample
        for _ in range(4):
            me.answer(shade)
        slip = me.sample
        me.press(HOSTILE, "Enter")
        assert HOSTILE in screen.page.locator("#names li bdi").all_inner_texts()
        me.press("Backspace")
        assert me.sample == slip
        assert HOSTILE not in screen.page.locator("#names li bdi").all_inner_texts()
        me.press("?")
        for _ in range(10):
            me.answer(shade)
        screen.page.wait_for_selector("#stage img")
        screen.shoot("explore-page")
        screen.page.emulate_media(color_scheme="dark")
        screen.shoot("explore-page-dark")
        before, open_one = given(tmp_path, "shades"), me.sample
        process.send_signal(signal.SIGKILL)
        process.wait()
        screen.page.get_by_text("Every answer that was taken is kept").wait_for()
    with exploring(tmp_path, *asked) as (address, process):
        screen.page.goto(address)
        screen.page.wait_for_selector("#stage img")
        assert me.sample == open_one
        assert given(tmp_path, "shades") == before
        me.answer(shade)
        screen.page.get_by_role("button", name="stop for now").focus()
        me.press("Enter")
        assert "labels wanted" in screen.page.inner_text("#stage")
        out, _ = process.communicate()
    found = json.loads(out)
    assert (found["stopped_by"], found["labels"]) == ("labels wanted", 16)
    events = given(tmp_path, "shades")
    answered = [event.sample for event in events if isinstance(event, LabelGiven)]
    assert len(answered) == len(set(answered)) + 1, "only what was taken back is asked again"
    assert {event.by.split()[0] for event in events} == {"page"}


def test_texts_are_shown_as_they_are_and_two_hundred_classes_are_found_by_typing(
    texts: Path, tmp_path: Path, screen
) -> None:
    with exploring(tmp_path, str(texts), "--budget", "12") as (address, _):
        screen.open(address, "nothing is known")
        page, me = screen.page, Labeller(screen.page)
        page.wait_for_selector("#stage pre")
        shown = page.inner_text("#stage pre")
        assert "train" in shown or "<script>document.body.remove()</script>" in shown
        assert page.locator("#stage pre *").count() == 0
        # Other classes than these twelve samples have, as a job would name them.
        page.route("**/scene*", lambda route: with_many(route))
        page.reload()
        page.wait_for_function("() => document.querySelectorAll('#names li').length === 200")
        assert page.locator("#names kbd").count() == 9
        page.keyboard.type("d 137")
        assert page.locator("#names li[aria-selected=true] bdi").inner_text() == "kind 137"
        assert page.evaluate("() => document.activeElement.getAttribute('aria-activedescendant')") == "name-0"
        page.keyboard.press("Escape")
        page.keyboard.type("kind 19")
        page.keyboard.press("ArrowDown")
        screen.shoot("explore-page-many-classes")
        me.press("Enter")
        page.unroute_all(behavior="ignoreErrors")
    (event,) = given(tmp_path, "notes")
    assert event.label == "kind 190"


def with_many(route: Any) -> None:
    answer = route.fetch()
    told = answer.json()
    told["names"] = [{"name": f"kind {number}", "shown": f"kind {number}"} for number in range(200)]
    route.fulfill(response=answer, json=told)
