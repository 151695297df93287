"""Population-based training and population-based bandits, in generations."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft.core.seeds import derive_seed
from graft.search.bandit import Bandit, Gain
from graft.search.perturb import Changes, described, perturb
from graft.search.protocol import Checkpoint, CheckpointEpochs, Decision, Exploit, GoOn, Hold, Proposal, Report, Verdict
from graft.search.schedulers.context import SchedulerContext
from graft.spec.metrics import begun_first
from graft.spec.search.schedulers import Pb2
from graft.spec.space.mutation import mutated_keys
from graft.spec.strategy import Strategy


class Population:
    """Trials that copy from each other (pbt: Jaderberg et al., 2017; pb2: Parker-Holder et al., NeurIPS 2020).

    At each multiple of `interval` epochs the trials of one architecture are ranked. The worst of them, a share of
    `quantile` and at least one of two, go on from the weights of a trial drawn from as many of the best, under a
    variation of its strategy: pbt varies it at random (`graft.search.perturb`), pb2 by what changes have gained
    (`graft.search.bandit`). A trial copies only from one that is strictly better.

    Generations are synchronous: a trial is held until every live one that will be compared with it at that epoch has
    come there, so what is decided follows from the seed and the values, never from which trial was faster. (In the
    papers a trial copies as soon as it is ready itself, which depends on the order of arrival.) A trial that begins
    with epochs behind it takes part from the next multiple on, and waits there for the others. Its last epoch is never
    compared. Nobody waits for a trial that has ended, and nobody copies from it.

    Args:
        context: its phase has the spec, `graft.spec.search.schedulers.Pbt` or `Pb2`.
    """

    def __init__(self, context: SchedulerContext) -> None:
        self._context = context
        self._spec = context.phase.scheduler
        self._keys = mutated_keys(context.space, self._spec.mutate)
        self._added: set[str] = set()
        self._live: dict[str, _Member] = {}
        self._gains: dict[str, list[Gain]] = {}
        self.checkpoints = CheckpointEpochs(every=self._spec.interval)

    def add(self, proposal: Proposal) -> None:
        """A trial joins, or begins its next segment; one that only starts again stays what it is."""
        self._added.add(proposal.trial)
        if proposal.runs_to_end:
            return  # it copies from nobody, and nobody from it
        before = self._live.get(proposal.trial)
        if before is not None and before.proposal.segment >= proposal.segment:
            return
        border = self._border_after(proposal.start.epoch if proposal.start else 0)
        self._live[proposal.trial] = _Member(proposal, border, baseline=before.baseline if before else None)

    def report(self, report: Report) -> Verdict:
        """Hold where trials are compared, else go on."""
        member = self._live.get(report.trial)
        if member is None or report.epoch < member.border:
            return GoOn()
        if report.epoch > member.border:
            # What it was awaited with never came, or was decided elsewhere: it is compared at the next border.
            member.move_on(self._border_after(report.epoch - 1), baseline=None)
        if report.epoch < member.border or member.is_past_all_borders:
            return GoOn()
        member.is_held, member.score = True, self._context.score(report.value)
        return Hold()

    def remove(self, trial: str) -> None:
        """A trial has ended: nobody waits for it, or copies from it."""
        self._live.pop(trial, None)

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        """The next generation of each architecture whose trials have all come to it."""
        size = self._context.phase.trials
        if not no_more and (size is None or len(self._added) < size):
            return {}
        groups: dict[str, list[_Member]] = {}
        for member in sorted(self._live.values(), key=lambda one: begun_first(one.trial)):
            groups.setdefault(member.strategy.architecture(), []).append(member)
        decisions: dict[str, Decision] = {}
        for name, members in groups.items():
            decisions |= self._next_generation(name, members)
        return decisions

    def _next_generation(self, group: str, members: Sequence["_Member"]) -> dict[str, Decision]:
        """What becomes of those held at the lowest border, once all that will be compared there have come.

        The members come in the order they began, and equals are ranked in it.
        """
        epoch = min((member.border for member in members if member.is_held), default=None)
        compared = [member for member in members if epoch is not None and member.border <= epoch]
        if epoch is None or not all(member.is_held for member in compared):
            return {}
        ranked = sorted(compared, key=lambda one: -one.score)
        generation = _Generation(group, epoch, tuple(ranked), self._num_copied(len(ranked)))
        self._learn(generation)
        for member in ranked:
            member.move_on(self._border_after(epoch), baseline=member.score)
        decisions: dict[str, Decision] = {member.trial: GoOn() for member in ranked}
        return decisions | self._exploits(generation, members)

    def _exploits(self, generation: "_Generation", members: Sequence["_Member"]) -> dict[str, Exploit]:
        copies = []
        for member in generation.worst:
            rng = random.Random(
                derive_seed(self._context.seed, "pbt", generation.group, generation.epoch, member.trial)
            )
            donor = generation.best[rng.randrange(len(generation.best))]
            if donor.score > member.score:
                copies.append((member, donor, rng))
        copying = {member.trial for member, _, _ in copies}
        pending = [member.strategy for member in members if member.trial not in copying]
        exploits = {}
        for member, donor, rng in copies:
            strategy, changes = self._vary(generation, donor.strategy, pending, rng)
            pending.append(strategy)
            member.baseline = donor.score
            source = Checkpoint(donor.trial, donor.proposal.segment, generation.epoch)
            exploits[member.trial] = Exploit(
                source, strategy, changes, self._reason(generation, member, donor, changes)
            )
        return exploits

    def _vary(
        self, generation: "_Generation", donor: Strategy, pending: Sequence[Strategy], rng: random.Random
    ) -> tuple[Strategy, Changes]:
        space, keys = self._context.space, self._keys
        if isinstance(self._spec, Pb2):
            bandit = Bandit(space, keys, self._spec.interval)
            return bandit.choose(donor, generation.epoch, self._gains[generation.group], pending, rng)
        return perturb(space, donor, keys, rng, self._spec.resample)

    def _learn(self, generation: "_Generation") -> None:
        """Remember what the interval has gained each, in an order that is the same whoever came first."""
        gains = self._gains.setdefault(generation.group, [])
        for member in generation.ranked:
            if member.baseline is not None:
                gains.append(Gain(generation.epoch, member.strategy, member.score - member.baseline))

    def _num_copied(self, size: int) -> int:
        # A product such as 100 * 0.29 lies just below the whole number that is meant.
        return max(1, math.floor(size * self._spec.quantile + 1e-9)) if size > 1 else 0

    def _border_after(self, epoch: int) -> int:
        interval: int = self._spec.interval
        return (epoch // interval + 1) * interval

    def _reason(self, generation: "_Generation", member: "_Member", donor: "_Member", changes: Changes) -> str:
        mine, other = (self._context.score(one.score) for one in (member, donor))
        return (
            f"{self._context.metric.name} {mine:.4f} is among the worst {len(generation.worst)} of "
            f"{len(generation.ranked)} at epoch {generation.epoch}; copies {donor.trial} ({other:.4f}): "
            f"{described(changes)}"
        )


@dataclass
class _Member:
    """A live trial.

    Attributes:
        proposal: what it is training.
        border: the epoch at which it is compared next.
        baseline: score of the weights that it began its interval with, where that is known.
        score: at `border`, when it is held there.
        is_held: whether it waits at `border`.
    """

    proposal: Proposal
    border: int
    baseline: float | None = None
    score: float = -math.inf
    is_held: bool = False

    @property
    def trial(self) -> str:
        return self.proposal.trial

    @property
    def strategy(self) -> Strategy:
        return self.proposal.strategy

    @property
    def is_past_all_borders(self) -> bool:
        return self.border >= self.proposal.epochs

    def move_on(self, border: int, baseline: float | None) -> None:
        self.border, self.baseline, self.is_held = border, baseline, False


@dataclass(frozen=True)
class _Generation:
    """Trials of one architecture at one epoch, best first."""

    group: str
    epoch: int
    ranked: tuple[_Member, ...]
    num_copied: int

    @property
    def best(self) -> tuple[_Member, ...]:
        return self.ranked[: self.num_copied]

    @property
    def worst(self) -> tuple[_Member, ...]:
        return self.ranked[len(self.ranked) - self.num_copied :]
