"""Which frozen blocks are worth being computed once: how often a search is expected to meet each of them. Pure."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass

from graft.core.seeds import derive_seed
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
    """

    prefix: Prefix
    reads: float
    is_kept: bool


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
        n (f + 3 (1 - f)), one with them 3 n (1 - f) + f; this is the quotient of the sums over all prefixes.
        """
        without = kept = least = 0.0
        for one in self.expected:
            share = share_below(one.prefix)
            above, once = one.reads * (1 + BACKWARD) * (1 - share), share * max(1, one.prefix.views)
            without += above + one.reads * share
            kept += above + (once if one.is_kept else one.reads * share)
            least += above + min(once, one.reads * share)
        # Nothing frozen, or samples that are new in every epoch.
        rest = (self.epochs - sum(one.reads for one in self.expected)) * (1 + BACKWARD)
        return SpeedUp((without + rest) / (kept + rest), (without + rest) / (least + rest))


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
    epochs, finals = 0.0, job.search.evaluation.finals
    for phase in outlook.phases:
        count = max(0, (phase.trials or UNKNOWN_TRIALS) - (0 if phase.index else len(first)))
        epochs += models * count * expected_epochs(outlook.phases, phase.index)
    each = models * outlook.phases[0].epochs
    reads: Counter[Prefix] = Counter({prefix: share * epochs for prefix, share in _counted(job).items()})
    for strategy in first:
        if (prefix := prefix_of(strategy)) is not None:
            reads[prefix] += models + finals if strategy.head.is_solved else each
    found = [
        Expected(prefix, count, count >= MIN_READS * max(1, prefix.views))
        for prefix, count in sorted(reads.items(), key=lambda one: astuple(one[0]))
    ]
    trained = sum(not strategy.head.is_solved for strategy in first)
    return PrefixPlan(tuple(found), epochs + each * trained + models * (len(first) - trained))


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


def _counted(job: Job) -> Mapping[Prefix, float]:
    found = Counter(prefix_of(strategy) for strategy in drawn_strategies(job))
    return {prefix: count / DRAWS for prefix, count in found.items() if prefix is not None}
