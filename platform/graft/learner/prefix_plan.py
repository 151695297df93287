"""Which frozen blocks are worth being computed once: how often a search is expected to meet each of them. Pure."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass

from graft.core.seeds import derive_seed
from graft.learner.phases.head_phase import head_epochs, head_prefix_of, starts_solved
from graft.learner.prefix import Prefix, prefix_of
from graft.modalities.registry import build_modality
from graft.models.load import describe_backbone
from graft.search.outlook import Outlook, expected_epochs
from graft.spec.job import Job
from graft.spec.strategy import Strategy

# Strategies drawn to estimate a distribution; a share of 1 % is then known to ± 0.4 points.
DRAWS = 512
# Trials of a search that only time ends.
UNKNOWN_TRIALS = 16
# Below this, reading what was written saves less than writing costs.
MIN_READS = 2.0
# A backward pass costs about twice the forward pass; a frozen block has none.
BACKWARD = 2.0


@dataclass(frozen=True)
class Depths:
    """A network by its cuts, from 0 (the stem) to the number of its blocks.

    Attributes:
        shares: of the forward pass that lie below each cut.
        sizes: activation size per sample at each cut; at the last one, that of the pooled features.
    """

    shares: tuple[float, ...]
    sizes: tuple[int, ...]


Probe = Callable[[str, int], Depths]
"""``probe(backbone, size of its inputs)``: measures a network."""


@dataclass(frozen=True)
class Expected:
    """Frozen blocks that a search is expected to meet.

    Attributes:
        prefix: which.
        reads: epochs, over all trials, that would go through them.
        is_kept: whether their features are to be stored.
        starts: heads, over all trials, whose start is solved on them; each is a pass beside the epochs.
    """

    prefix: Prefix
    reads: float
    is_kept: bool
    starts: float = 0.0


@dataclass(frozen=True)
class PrefixPlan:
    """What a search does with frozen blocks.

    Attributes:
        expected: by backbone, and from the input upwards: the features of a deeper cut come from those of a shallower.
        epochs: of all trials together.
    """

    expected: tuple[Expected, ...]
    epochs: float

    @property
    def wanted(self) -> frozenset[Prefix]:
        """What is stored."""
        return frozenset(one.prefix for one in self.expected if one.is_kept)

    def speed_up(self, share_below: Callable[[Prefix], float]) -> "SpeedUp":
        """How many times less arithmetic the search does: each stored prefix is computed once, not once an epoch.

        With f the share of the forward pass below a cut and n its reads, a search without stored features costs
        n (f + 3 (1 - f)), one with them 3 n (1 - f) + f; this is the quotient of the sums over all prefixes. A start
        that is solved adds f without them.
        """
        without, kept, least = self._forwards(share_below)
        return SpeedUp(without / kept, without / least)

    def passes(self, share_below: Callable[[Prefix], float]) -> float:
        """Forward passes of all samples that the search amounts to with what is stored; a backward pass is two."""
        return self._forwards(share_below)[1]

    def _forwards(self, share_below: Callable[[Prefix], float]) -> tuple[float, float, float]:
        """Without stored features, with those that are kept, and with all of them where reading cost nothing."""
        without = kept = least = 0.0
        for one in self.expected:
            share = share_below(one.prefix)
            above, once = one.reads * (1 + BACKWARD) * (1 - share), share * max(1, one.prefix.views)
            passes = (one.reads + one.starts) * share
            without += above + passes
            kept += above + (once if one.is_kept else passes)
            least += above + min(once, passes)
        # Nothing frozen, or samples that are new in every epoch.
        rest = (self.epochs - sum(one.reads for one in self.expected)) * (1 + BACKWARD)
        return without + rest, kept + rest, least + rest


@dataclass(frozen=True)
class SpeedUp:
    """How many times less arithmetic a search does.

    Attributes:
        predicted: with what is stored.
        ceiling: if every prefix was, and reading cost nothing.
    """

    predicted: float
    ceiling: float


def plan_prefixes(job: Job) -> PrefixPlan:
    """Draw strategies from a job's space, and count which frozen blocks they have; those tried first count as many
    epochs as they train."""
    outlook, models, first = Outlook.of(job), job.search.evaluation.models, job.first
    trials = epochs = 0.0
    for phase in outlook.phases:
        count = max(0, (phase.trials or UNKNOWN_TRIALS) - (0 if phase.index else len(first)))
        trials += models * count
        epochs += models * count * expected_epochs(outlook.phases, phase.index)
    found = _Tally(job.epochs)
    for strategy in drawn_strategies(job):
        found.add(strategy, trials / DRAWS, epochs / trials if trials else 0.0)
    whole = outlook.phases[0].epochs
    for strategy in first:
        if strategy.head.is_solved:
            found.add(strategy, models + job.search.evaluation.finals, 1.0)
        else:
            found.add(strategy, models, whole)
    trained = sum(not strategy.head.is_solved for strategy in first)
    total = epochs + models * (whole * trained + len(first) - trained)
    return PrefixPlan(found.expected(), total)


class _Tally:
    """Counts what trials read of which blocks.

    Args:
        epochs: of a whole training.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._reads: defaultdict[Prefix, float] = defaultdict(float)
        self._starts: defaultdict[Prefix, float] = defaultdict(float)

    def add(self, strategy: Strategy, trials: float, epochs: float) -> None:
        """So many trials of a strategy, each of so many epochs."""
        alone = 0.0
        if (resting := head_prefix_of(strategy)) is not None:
            alone = min(head_epochs(strategy, self._epochs), epochs)
            self._reads[resting] += trials * alone
            self._starts[resting] += trials * starts_solved(strategy)
        if (frozen := prefix_of(strategy)) is not None:
            self._reads[frozen] += trials * (epochs - alone)

    def expected(self) -> tuple[Expected, ...]:
        """What was counted, in the order of the prefixes."""
        found = sorted(self._reads, key=astuple)
        return tuple(Expected(one, self._reads[one], self._is_kept(one), self._starts[one]) for one in found)

    def _is_kept(self, prefix: Prefix) -> bool:
        return self._reads[prefix] + self._starts[prefix] >= MIN_READS * max(1, prefix.views)


def blocks_below(prefix: Prefix) -> float:
    """The share of a network's blocks below a cut: a stand-in for the share of its arithmetic."""
    if prefix.pool:
        return 1.0
    return prefix.cut / describe_backbone(prefix.backbone).num_blocks


def drawn_strategies(job: Job) -> Iterator[Strategy]:
    """Strategies of a job's space as a random search would draw them; always the same ones."""
    rng = random.Random(derive_seed(job.search.seed, "prefixes"))
    return (job.strategy.sample(rng) for _ in range(DRAWS))


def affordable(wanted: frozenset[Prefix], rows: int, budget: int) -> frozenset[Prefix]:
    """Those of some prefixes whose features fit into a budget together, the ones that need least first.

    Args:
        wanted: what a search would like to store.
        rows: of the dataset.
        budget: bytes. Features of which nobody can say how large they are do not count: the store itself refuses them
            when the disk is full.
    """
    left, kept = budget, set()
    for prefix, size in sorted(((one, _bytes(one) * rows) for one in wanted), key=lambda one: one[1]):
        if size <= left:
            left -= size
            kept.add(prefix)
    return frozenset(kept)


def _bytes(prefix: Prefix) -> int:
    """Of a sample's features; 0 where that is not known."""
    info = describe_backbone(prefix.backbone)
    if prefix.pool:
        return 2 * info.num_features * 4 * max(1, prefix.views)  # at most: both poolings, of the widest block
    numbers = build_modality(info.modality).stored_numbers(info, prefix.size, prefix.cut)
    return (numbers or 0) * 4 * max(1, prefix.views)
