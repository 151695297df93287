"""The page as a WSGI application: a document, the scene as JSON, the sample that is asked about, answers.

Nothing is read from a path that a request names: the three files of the page are listed here, and a sample is had by
the number of the question that is open.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from graft.core.escaping import escaped
from graft.data.read import Unreadable
from graft.exploration.requirement import Requirement
from graft.pipeline.exploration.page.desk import Desk, Scene
from graft.pipeline.exploration.sources import Answer, TakeBack

ANSWERS = "/answers"
_FILES = {
    "/": ("labels.html", "text/html; charset=utf-8"),
    "/labels.css": ("labels.css", "text/css; charset=utf-8"),
    "/labels.js": ("labels.js", "text/javascript; charset=utf-8"),
}
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Content-Security-Policy",
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
_MOST_BYTES, LONGEST_LABEL = 65_536, 200
_WAIT_S = 20.0


@dataclass(frozen=True)
class Response:
    """An answer to a request."""

    status: HTTPStatus
    content: bytes
    media_type: str


class RefusedError(Exception):
    """What was posted is no answer; the text says why."""


@dataclass(frozen=True)
class LabelPage:
    """The application.

    Attributes:
        desk: where questions are.
        requirement: what the model must reach.
        budget: labels of all kinds.
        title: of the exploration.
        seen_by: the backbone that sees the samples, and the meta-model behind it, in words.
    """

    desk: Desk
    requirement: Requirement
    budget: int
    title: str
    seen_by: str

    def __call__(self, environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = self._respond(environ)
        length = ("Content-Length", str(len(found.content)))
        told = f"{found.status.value} {found.status.phrase}"
        start_response(told, [("Content-Type", found.media_type), length, *_HEADERS])
        return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [found.content]

    def _respond(self, environ: Any) -> Response:
        path = str(environ.get("PATH_INFO", ""))
        if path == ANSWERS:
            return self._answered(environ)
        if path in _FILES:
            name, media_type = _FILES[path]
            return Response(HTTPStatus.OK, Path(__file__).with_name(name).read_bytes(), media_type)
        if path == "/health":
            return _plain(HTTPStatus.OK, "ok")
        if path == "/scene":
            after = parse_qs(str(environ.get("QUERY_STRING", ""))).get("after", [""])[0]
            return self._scene(HTTPStatus.OK, int(after) if after.isdecimal() and len(after) < 10 else -1)
        if path.startswith("/sample/"):
            return self._sample(path.removeprefix("/sample/"))
        return _plain(HTTPStatus.NOT_FOUND, "there is no such page")

    def _scene(self, status: HTTPStatus, after: int = -1) -> Response:
        content = json.dumps(self.described(self.desk.scene(after, _WAIT_S)))
        return Response(status, content.encode(), "application/json")

    def _sample(self, number: str) -> Response:
        if not number.isdecimal() or len(number) > 9:
            return _plain(HTTPStatus.NOT_FOUND, "there is no such sample")
        try:
            found = self.desk.exhibit(int(number))
        except Unreadable as error:
            return _plain(HTTPStatus.GONE, f"the sample {error}")
        if found is None:
            return _plain(HTTPStatus.NOT_FOUND, "this is not the sample that is asked about")
        if found.text is not None:
            return _plain(HTTPStatus.OK, found.text)
        return Response(HTTPStatus.OK, found.content, found.media_type)

    def _answered(self, environ: Any) -> Response:
        if environ["REQUEST_METHOD"] != "POST":
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "answers are posted")
        try:
            number, reply = read_answer(_posted(environ))
        except RefusedError as error:
            return _plain(HTTPStatus.BAD_REQUEST, str(error))
        is_taken = self.desk.answer(number, reply)
        return self._scene(HTTPStatus.OK if is_taken else HTTPStatus.CONFLICT)

    def described(self, scene: Scene) -> dict[str, Any]:
        """A scene as plain JSON; what is shown holds no character that changes how others are read."""
        question, standing = scene.question, scene.standing
        known = standing.to_dict() if standing else {}
        left = self.budget - known.get("labels", 0) - scene.given
        return {
            "version": scene.version,
            "title": escaped(self.title),
            "seen_by": escaped(self.seen_by),
            "number": scene.number,
            "sample": escaped(question.sample) if question else None,
            "why": escaped(question.why) if question else "",
            "last": escaped(question.last) if question and question.last else None,
            "names": [{"name": name, "shown": escaped(name)} for name in scene.names],
            "required": {"told": str(self.requirement), "share": self.requirement.accuracy},
            "estimate": known.get("estimate"),
            "interval": known.get("interval"),
            "expected": known.get("expected_audit_labels"),
            "labels": known.get("labels", 0) + scene.given,
            "audit_labels": known.get("audit_labels", 0),
            "budget": self.budget,
            "left": left,
            "end": escaped(scene.end),
        }


def read_answer(given: Any) -> tuple[int, Answer | TakeBack | None]:
    """What was posted: a question's number, with a label, or with what is done instead.

    Raises:
        RefusedError: it is no answer.
    """
    if not isinstance(given, Mapping) or type(given.get("question")) is not int:
        raise RefusedError("an answer must be an object with `question`, a number")
    kinds: Mapping[str, Answer | TakeBack | None] = {"skip": Answer(None), "take_back": TakeBack(), "stop": None}
    if set(given) == {"question", "do"} and isinstance(given["do"], str) and given["do"] in kinds:
        return given["question"], kinds[given["do"]]
    label = given.get("label")
    if set(given) != {"question", "label"} or not isinstance(label, str):
        raise RefusedError("an answer must have either `label`, a text, or `do`: skip, take_back or stop")
    name = label.strip()
    if not name or len(name) > LONGEST_LABEL or escaped(name) != name:
        raise RefusedError(f"a label must be 1 to {LONGEST_LABEL} characters that can be seen")
    return given["question"], Answer(name)


def _posted(environ: Any) -> Any:
    length = str(environ.get("CONTENT_LENGTH") or "0")
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != "application/json":
        raise RefusedError("an answer must be application/json")
    if not length.isdecimal() or int(length) > _MOST_BYTES:
        raise RefusedError(f"an answer must be {_MOST_BYTES} bytes at most")
    try:
        return json.loads(environ["wsgi.input"].read(int(length)))
    except (ValueError, RecursionError) as error:
        raise RefusedError("an answer must be JSON") from error


def _plain(status: HTTPStatus, told: str) -> Response:
    return Response(status, told.encode("utf-8", "replace"), "text/plain; charset=utf-8")
