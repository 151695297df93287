"""Where the loop that asks meets the browsers that answer: one question at a time, an answer to it once."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from graft.modalities.protocol import Exhibit
from graft.pipeline.exploration.sources import Answer, Question, TakeBack
from graft.pipeline.exploration.standing import Standing

Look = Callable[[str], Exhibit]
"""Gives a sample to look at, by its id; raises `Unreadable`."""


@dataclass(frozen=True)
class Scene:
    """What a browser sees.

    Attributes:
        version: grows with each change.
        number: of the question; that of the last one where there is none.
        question: that is open; None while the next one is sought, and at the end.
        standing: what is known, without answers that may still be taken back; None at the very beginning.
        names: of the classes, in the order in which they came up, so that each keeps its key.
        given: answers since `standing`.
        end: why nothing is asked any more, in words; empty as long as something is.
    """

    version: int = 0
    number: int = 0
    question: Question | None = None
    standing: Standing | None = None
    names: tuple[str, ...] = ()
    given: int = 0
    end: str = ""


class Desk:
    """A `LabelSource` that shows its question and waits, for as long as it takes.

    Every browser sees the same question. An answer names the question that it is for, so that one that is given in two
    windows, or sent twice, is taken once. Whoever answers is told of success when the answer is in the journal.

    Args:
        by: who answers, for the journal.
        look: gives samples.
        names: of classes that are known before anything is asked.
    """

    repeats = True

    def __init__(self, by: str, look: Look, names: Sequence[str] = ()) -> None:
        self.by, self._look = by, look
        self._changed = threading.Condition()
        self._known = tuple(names)
        self._scene = Scene(names=self._known)
        self._reply: Answer | TakeBack | None = None
        self._has_reply = False

    def ask(self, question: Question) -> Answer | TakeBack | None:
        """What a person answers; None if they stop for now, in the browser or by Ctrl-C."""
        with self._changed:
            self._show(replace(self._scene, question=question, number=self._scene.number + 1))
            self._reply, self._has_reply = None, False
            with contextlib.suppress(KeyboardInterrupt):
                self._changed.wait_for(lambda: self._has_reply)
            self._show(self._after(self._reply))
            return self._reply

    def know(self, standing: Standing) -> None:
        """Show what is known now."""
        with self._changed:
            # A name that was taken back is gone; the others keep their order.
            there = {*self._known, *standing.named}
            names = dict.fromkeys(one for one in (*self._scene.names, *standing.named) if one in there)
            self._show(replace(self._scene, standing=standing, names=tuple(names), given=0))

    def close(self, told: str) -> None:
        """Ask nothing any more."""
        with self._changed:
            self._show(replace(self._scene, question=None, end=told))

    def scene(self, after: int = -1, seconds: float = 0.0) -> Scene:
        """What there is to see; if it is that of version `after` still, wait a while for another."""
        with self._changed:
            self._changed.wait_for(lambda: self._scene.version > after, seconds)
            return self._scene

    def answer(self, number: int, reply: Answer | TakeBack | None, seconds: float = 30.0) -> bool:
        """Answer a question, and wait until the answer is in the journal: whatever comes next comes after that.

        Args:
            number: of the question.
            reply: None stops for now.
            seconds: to wait at most.

        Returns:
            Whether it was taken; not so if the question is not the open one.
        """
        with self._changed:
            if self._scene.question is None or self._scene.number != number or self._has_reply:
                return False
            self._reply, self._has_reply = reply, True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._scene.number > number or bool(self._scene.end), seconds)
            return True

    def exhibit(self, number: int) -> Exhibit | None:
        """The sample of the open question; None if that has another number.

        Raises:
            Unreadable: it cannot be read any more.
        """
        scene = self.scene()
        if scene.question is None or scene.number != number:
            return None
        return self._look(scene.question.sample)

    def _after(self, reply: Answer | TakeBack | None) -> Scene:
        scene = replace(self._scene, question=None)
        if isinstance(reply, TakeBack):
            return replace(scene, given=scene.given - 1)
        if reply is None:
            return scene
        is_new = reply.label is not None and reply.label not in scene.names
        return replace(scene, given=scene.given + 1, names=(*scene.names, *([reply.label] if is_new else ())))

    def _show(self, scene: Scene) -> None:
        self._scene = replace(scene, version=self._scene.version + 1)
        self._changed.notify_all()
