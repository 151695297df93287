"""What an exploration does next: it asks for labels, or stops. The same answers lead to the same decisions."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from graft.exploration.certificate import AccuracyTest
from graft.exploration.judging import LABELS_A_CLASS, Judged, Verdict, forecast_of, verdict_of
from graft.exploration.labels import Labels, Role
from graft.exploration.learning_curve import Forecast
from graft.exploration.noise import LabelNoise, label_noise
from graft.exploration.proposers.protocol import Proposer, View
from graft.exploration.requirement import Requirement
from graft.exploration.schedule import CANDIDATE_RATIO, CURVE_RATIO, audit_rate, candidates, is_judged

BATCH = 10
REPEATED = 5
"""Of so many audit labels, one is asked for twice."""
StoppedBy = Literal["reached", "cannot be reached", "budget spent"]


class Model(Protocol):
    """Answers for rows of the pool."""

    def probabilities(self, rows: np.ndarray) -> np.ndarray: ...


Fit = Callable[[np.ndarray, np.ndarray, int], Model]
"""A model of rows int64 [n] of the pool with their codes int64 [n], of so many classes."""


@dataclass(frozen=True)
class Terms:
    """What is fixed for all of an exploration.

    Attributes:
        requirement: when enough is known.
        budget: labels of all kinds.
        seed: of all that is random.
        repeats: whether a sample may be asked for twice.
    """

    requirement: Requirement
    budget: int
    seed: int = 0
    repeats: bool = True


@dataclass(frozen=True)
class Ask:
    """Labels are wanted.

    Attributes:
        rows: of the pool.
        role: what for.
        why: in words.
    """

    rows: tuple[int, ...]
    role: Role
    why: str


@dataclass(frozen=True)
class Stop:
    """Enough is known, or never will be."""

    by: StoppedBy
    detail: str


@dataclass
class Explorer:
    """One exploration of a pool.

    A part of the pool, drawn at random before anything is known, is kept for the audit: it is asked in the order in
    which it was drawn, and no proposer sees it. So each model's audit is a row of independent draws.

    Attributes:
        vectors: float32 [N, D], of length 1.
        terms: of the exploration.
        proposer: chooses what to train on.
        fit: makes models.
        kind: what the proposer is called.
    """

    vectors: np.ndarray
    terms: Terms
    proposer: Proposer
    fit: Fit
    kind: str = ""
    labels: Labels = field(default_factory=Labels)
    models: list[Judged] = field(default_factory=list)
    model: Model | None = None
    _pending: Ask | None = None
    _given: list[tuple[int, Role]] = field(default_factory=list)
    _withdrawn: list[int] = field(default_factory=list)
    _round: int = 0
    _fitted: int = 0
    _shares: int = 0

    def __post_init__(self) -> None:
        order = np.random.default_rng([self.terms.seed, 0]).permutation(len(self.vectors))
        self.reserve = order[: min(self.terms.budget, len(order) // 2)]
        self.own = np.sort(order[len(self.reserve) :])

    def next(self) -> Ask | Stop:
        """What to do now; the same again until something is recorded."""
        if (waiting := self._waiting()) is not None:
            return waiting
        self._judge()
        return self._stop() or self._asked()

    @property
    def is_asking(self) -> bool:
        """Whether answers to what was proposed last are still wanted."""
        return self._waiting() is not None

    def proposed(self, ask: Ask) -> None:
        """These samples are being asked about; the rest of what is being asked already is nothing new."""
        if self._waiting() is None:
            self._judge()
            self._pending, self._round = ask, self._round + 1

    def record(self, row: int, name: str | None, role: Role) -> None:
        """An answer; None where nobody could tell."""
        self.labels.add(row, name, role)
        self._given.append((row, role))
        if role == "train" and row in self._withdrawn:
            self._withdrawn.remove(row)

    @property
    def revocable(self) -> tuple[int, Role] | None:
        """The newest answer, if it may be taken back.

        One that is trained on always may. One of the audit may as long as others of its round are open: after that the
        estimate that it is part of has been shown, and answers that are looked at again because an estimate disappoints
        are no audit.
        """
        if not self._given:
            return None
        row, role = self._given[-1]
        waiting = self._pending_left()
        is_open = waiting is not None and waiting.role == role and self._is_pending(row, role)
        return (row, role) if role == "train" or is_open else None

    def withdraw(self) -> None:
        """Take the newest answer back; its sample is asked for again, before all others."""
        found = self.revocable
        if found is None:
            raise ValueError("there is no answer that may be taken back")
        self._given.pop()
        row, role = found
        self.labels.remove(row, role)
        if role == "train":
            self._fitted = 0
            if not self._is_pending(row, role):
                self._withdrawn.insert(0, row)

    @property
    def verdict(self) -> Verdict:
        """What the audit says of the newest model."""
        return verdict_of(self.models, self._audited(), self.terms.requirement.alpha)

    @property
    def noise(self) -> LabelNoise:
        """What is known of wrong labels."""
        return label_noise(*self.labels.pairs(), len(self.labels.names))

    @property
    def left(self) -> int:
        """Of the budget."""
        return max(self.terms.budget - self.labels.spent, 0)

    def forecast(self) -> Forecast | None:
        """What all of the pool would give."""
        return forecast_of(self.models, self._audited(), len(self.vectors), self.terms.seed)

    def _audited(self) -> dict[int, str | None]:
        """Labels of the audit in the order in which they were drawn, without a round that is open."""
        left, audit = self._pending_left(), self.labels.audit
        is_open = self._pending is not None and left is not None and left.role == "audit"
        open_rows = self._pending.rows if is_open and self._pending is not None else ()
        return {row: audit[row] for row in self.reserve.tolist() if row in audit and row not in open_rows}

    def _is_pending(self, row: int, role: Role) -> bool:
        return self._pending is not None and self._pending.role == role and row in self._pending.rows

    def _waiting(self) -> Ask | None:
        if self._withdrawn and self.left:
            return Ask(tuple(self._withdrawn), "train", "the answer was taken back")
        return self._pending_left()

    def _pending_left(self) -> Ask | None:
        if self._pending is None:
            return None
        known = getattr(self.labels, self._pending.role)
        rows = tuple(row for row in self._pending.rows if row not in known)
        return Ask(rows, self._pending.role, self._pending.why) if rows and self.left else None

    def _judge(self) -> None:
        """Fit the newest labels; keep what the model says of the audit where its turn has come."""
        rows, codes = self.labels.for_training()
        names = tuple(self.labels.names)
        if len(rows) == self._fitted or len(names) < 2:
            return
        self.model, self._fitted = self.fit(rows, codes, len(names)), len(rows)
        test = self._test(len(rows), len(names))
        last = self.models[-1].size if self.models else None
        if test or is_judged(len(rows), last, CURVE_RATIO):
            best = self.model.probabilities(self.reserve).argmax(axis=1)
            self.models.append(Judged(len(rows), [names[code] for code in best], test))

    def _test(self, size: int, classes: int) -> AccuracyTest | None:
        """α is shared by all models that may be certified: each has its own chance to be lucky."""
        tested = [one for one in self.models if one.test]
        last = tested[-1].size if tested else None
        if size < LABELS_A_CLASS * classes or not is_judged(size, last, CANDIDATE_RATIO):
            return None
        self._shares = self._shares or candidates(size, self.terms.budget)
        if len(tested) >= self._shares:
            return None
        requirement = self.terms.requirement
        return AccuracyTest(requirement.accuracy, requirement.alpha / self._shares)

    def _stop(self) -> Stop | None:
        verdict, required = self.verdict, self.terms.requirement
        if verdict.is_certified:
            return Stop("reached", f"{required} is shown by {verdict.total} audit labels{self._under_noise()}")
        return self._hopeless(verdict) or self._spent()

    def _hopeless(self, verdict: Verdict) -> Stop | None:
        required, noise = self.terms.requirement.accuracy, self.noise
        if noise.low > 1 - required:
            told = f"{noise.differing} of {noise.pairs} samples that were asked about twice got two different labels"
            return Stop("cannot be reached", f"{told}, so no audit by such labels can show {required:g}")
        expected = self.forecast() if verdict.interval[1] < required else None
        if expected is None or expected.high >= required:
            return None
        told = f"labels for all {expected.size:,} samples would give about {expected.accuracy:.2f}"
        return Stop("cannot be reached", f"{told} ({expected.low:.2f} to {expected.high:.2f}){self._under_noise()}")

    def _spent(self) -> Stop | None:
        if not self.left:
            only = f"; all labels are `{self.labels.names[0]}`, but two classes are needed" if self._is_one else ""
            return Stop("budget spent", f"{self.labels.spent} labels{only}{self._under_noise()}")
        if len(self.labels.train) == len(self.own) and len(self.labels.audit) == len(self.reserve):
            return Stop("budget spent", f"all {len(self.vectors)} samples of the pool have been asked about")
        return None

    @property
    def _is_one(self) -> bool:
        return len(self.labels.names) == 1

    def _under_noise(self) -> str:
        noise = self.noise
        if not noise.is_seen:
            return ""
        told = f"about {100 * (noise.rate or 0):.0f} % of the labels are wrong"
        of_pairs = f"{noise.differing} of {noise.pairs} asked twice differ"
        return f"; {told} ({of_pairs}): accuracy is agreement with such labels"

    def _asked(self) -> Ask:
        labels = self.labels
        due = len(labels.audit) // REPEATED - len(labels.repeat)
        if due > 0 and self.terms.repeats:
            asked = [*labels.audit][::REPEATED][len(labels.repeat) :][:due]
            return Ask(tuple(asked[: self.left]), "repeat", "asked again: how often are labels wrong?")
        wanted = self._audit_due()
        if wanted:
            start = len(labels.audit)
            rows = self.reserve[start : start + min(wanted, self.left)]
            return Ask(tuple(map(int, rows)), "audit", "drawn at random: how good is the model?")
        chosen = self._proposed(min(BATCH, self.left))
        return Ask(tuple(map(int, self.own[chosen])), "train", f"proposed by {self.kind or 'the proposer'}")

    def _audit_due(self) -> int:
        """Audit labels to ask for now; none if it is training's turn."""
        labels, verdict = self.labels, self.verdict
        reserved = len(self.reserve) - len(labels.audit)
        if len(labels.train) == len(self.own):
            return min(BATCH, reserved)
        rate = audit_rate(verdict.guess, self.terms.requirement.accuracy, verdict.expected, self.left)
        if math.isinf(rate):
            return min(BATCH, reserved)
        if self._pending is None or self._pending.role != "train":
            return 0
        # Each round of training has its share; what is less than a label is carried on.
        done = len(labels.train)
        return min(math.floor(rate * done) - math.floor(rate * max(done - len(self._pending.rows), 0)), reserved)

    def _proposed(self, count: int) -> np.ndarray:
        place = {int(row): at for at, row in enumerate(self.own)}
        labelled = np.array([place[row] for row in self.labels.train], np.int64)
        free = np.setdiff1d(np.arange(len(self.own)), labelled)
        probabilities = self.model.probabilities(self.own[free]) if self.model is not None else None
        view = View(self.vectors[self.own], labelled, free, probabilities, len(self.labels.names))
        return self.proposer.propose(view, count, np.random.default_rng([self.terms.seed, 1, self._round]))
