"""The page gives what it must, to whom it must, and takes nothing but answers."""

import io
import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from tests.pipeline.exploration.page.standings import standing

from graft.data.read import Unreadable
from graft.exploration.requirement import Requirement
from graft.modalities.protocol import Exhibit
from graft.pipeline.exploration.page.application import LabelPage, RefusedError, read_answer
from graft.pipeline.exploration.page.desk import Desk
from graft.pipeline.exploration.page.server import TO_LABELS
from graft.pipeline.exploration.sources import Answer, Question, TakeBack
from graft.tracking.ui_gate import Gate, GatedApplication

SAMPLES = {
    "a": Exhibit("<script>alert(1)</script>"),
    "b": Exhibit(content=b"\x89PNG", media_type="image/png"),
}


def look(sample: str) -> Exhibit:
    if sample not in SAMPLES:
        raise Unreadable("is gone")
    return SAMPLES[sample]


@pytest.fixture
def desk() -> Iterator[Desk]:
    """One that is asking about ``a``, then ``b``, then a sample that has gone."""
    desk = Desk("me", look, ("cat",))
    desk.know(standing(labels=3, audit_labels=1, estimate=0.5, interval=(0.2, 0.8), expected=40, named=("d\u202eog",)))

    def ask() -> None:
        for sample, last in (("a", None), ("b", "a"), ("gone", "b")):
            desk.ask(Question(sample, "proposed", last))
        desk.close("reached")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    desk.scene(desk.scene().version if not desk.scene().question else -1, 10)
    yield desk
    while desk.scene().question is not None:
        desk.answer(desk.scene().number, None)
    thread.join(10)
    assert not thread.is_alive()


def call(application: Any, path: str, body: Any = None, query: str = "", **headers: str) -> tuple[int, Any, str]:
    answer: dict[str, Any] = {}

    def start_response(status: str, given: list[tuple[str, str]]) -> None:
        answer.update(status=int(status.split()[0]), headers=dict(given))

    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "GET" if body is None else "POST", "PATH_INFO": path, "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(content)), "wsgi.input": io.BytesIO(content),
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }  # fmt: skip
    told = b"".join(application(environ, start_response))
    return answer["status"], answer["headers"], told.decode("utf-8", "replace")


def page_of(desk: Desk) -> LabelPage:
    return LabelPage(desk, Requirement(0.9), 20, "photos", "tiny, mapped by gly\u202ephs")


def test_the_scene_says_what_is_known_and_shows_no_hidden_mark(desk: Desk) -> None:
    status, headers, told = call(page_of(desk), "/scene")
    scene = json.loads(told)
    assert status == HTTPStatus.OK
    assert (scene["sample"], scene["why"], scene["last"]) == ("a", "proposed", None)
    assert scene["seen_by"] == "tiny, mapped by gly\\u202ephs"
    assert scene["names"] == [{"name": "cat", "shown": "cat"}, {"name": "d\u202eog", "shown": "d\\u202eog"}]
    assert (scene["labels"], scene["left"], scene["budget"], scene["audit_labels"]) == (3, 17, 20, 1)
    assert (scene["estimate"], scene["interval"], scene["expected"]) == (0.5, [0.2, 0.8], 40)
    assert scene["required"] == {"told": "accuracy >= 0.9 at 95 %", "share": 0.9}
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/", "/labels.css", "/labels.js", "/scene", "/sample/1", "/nothing"])
def test_every_answer_forbids_what_is_not_its_own(desk: Desk, path: str) -> None:
    _, headers, _ = call(page_of(desk), path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_sample_is_a_text_or_a_file_made_anew_and_only_the_open_one(desk: Desk) -> None:
    page = page_of(desk)
    status, headers, told = call(page, "/sample/1")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert told == "<script>alert(1)</script>"
    assert call(page, "/sample/2")[0] == HTTPStatus.NOT_FOUND
    call(page, "/answers", {"question": 1, "label": "cat"})
    assert call(page, "/sample/2")[1]["Content-Type"] == "image/png"
    call(page, "/answers", {"question": 2, "do": "skip"})
    assert call(page, "/sample/3")[0] == HTTPStatus.GONE


@pytest.mark.parametrize(
    "path",
    ["/sample/../desk.py", "/sample//etc/passwd", "/desk.py", "/../desk.py", "/sample/", "/sample/-1", "/sample/9" * 9],
)
def test_no_other_file_is_served(desk: Desk, path: str) -> None:
    assert call(page_of(desk), path)[0] == HTTPStatus.NOT_FOUND


def test_the_page_asks_nobody_else_for_anything(desk: Desk) -> None:
    for path in ("/", "/labels.css", "/labels.js"):
        told = call(page_of(desk), path)[2]
        assert "http:" not in told
        assert "https:" not in told
        assert "innerHTML" not in told


def test_answers(desk: Desk) -> None:
    page = page_of(desk)
    status, _, told = call(page, "/answers", {"question": 1, "label": " cat "})
    assert (status, json.loads(told)["sample"], json.loads(told)["labels"]) == (200, "b", 4)
    status, _, told = call(page, "/answers", {"question": 1, "label": "dog"})
    assert (status, json.loads(told)["sample"]) == (HTTPStatus.CONFLICT, "b"), "it has been answered"
    assert call(page, "/answers")[0] == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "must be JSON"),
        (b"\xff", "must be JSON"),
        (b"[" * 60_000, "must be JSON"),
        (b" " * 70_000, "65536 bytes at most"),
        ([], "must be an object"),
        ({"question": True, "label": "cat"}, "`question`, a number"),
        ({"question": 1}, "either `label`"),
        ({"question": 1, "label": "cat", "do": "skip"}, "either `label`"),
        ({"question": 1, "do": "delete"}, "either `label`"),
        ({"question": 1, "do": ["skip"]}, "either `label`"),
        ({"question": 1, "label": " "}, "1 to 200 characters"),
        ({"question": 1, "label": "x" * 201}, "1 to 200 characters"),
        ({"question": 1, "label": "cat\x1b[2J"}, "that can be seen"),
    ],
)
def test_what_is_no_answer_is_refused_and_changes_nothing(desk: Desk, body: Any, told: str) -> None:
    before = desk.scene()
    status, _, said = call(page_of(desk), "/answers", body)
    assert status == HTTPStatus.BAD_REQUEST
    assert told in said
    assert desk.scene() == before


def test_what_answers_mean() -> None:
    assert read_answer({"question": 3, "label": "<b>"}) == (3, Answer("<b>"))
    assert read_answer({"question": 3, "do": "skip"}) == (3, Answer(None))
    assert read_answer({"question": 3, "do": "take_back"}) == (3, TakeBack())
    assert read_answer({"question": 3, "do": "stop"}) == (3, None)
    with pytest.raises(RefusedError):
        read_answer(None)


def test_a_form_of_another_page_cannot_answer(desk: Desk) -> None:
    """What a browser sends across origins without asking first is no JSON, and brings its origin."""
    guarded = GatedApplication(page_of(desk), Gate("token", 6000, TO_LABELS))
    cookie = {"host": "127.0.0.1:6000", "cookie": "graft-explore-6000=token"}
    body = {"question": 1, "label": "cat"}
    assert call(guarded, "/answers", body, **cookie, origin="http://evil.example")[0] == HTTPStatus.FORBIDDEN
    assert call(guarded, "/answers", body, host="127.0.0.1:6000")[0] == HTTPStatus.UNAUTHORIZED
    assert call(guarded, "/answers", body, **cookie | {"host": "evil.example"})[0] == HTTPStatus.FORBIDDEN
    status, _, told = call(guarded, "/scene", body, **cookie)
    assert (status, told) == (HTTPStatus.FORBIDDEN, "`graft explore` takes answers, and nothing else\n")
    assert "`graft explore` has printed" in call(guarded, "/", host="127.0.0.1:6000")[2]
    assert call(guarded, "/answers", body, **cookie, origin="http://127.0.0.1:6000")[0] == HTTPStatus.OK
