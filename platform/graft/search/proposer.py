"""Which strategies to try: drawn from the space, never the same one twice. No Ray, no torch."""

import random
from collections.abc import Callable, Mapping

from graft.core.seeds import derive_seed
from graft.search.protocol import Duplicate, Proposal
from graft.spec.space import StrategySpace
from graft.spec.strategy import Strategy

# A draw that repeats an earlier strategy is drawn again; this many repeats in a row mean that the space is used up.
MAX_REPEATS = 100


class RandomProposer:
    """Draws strategies independently at random (Bergstra and Bengio, JMLR 2012) until the budget is reached.

    Two draws with one canonical form are one trial: the second is reported as a duplicate and drawn again.

    Args:
        space: what may be drawn.
        trials: how many distinct strategies to propose at most.
        seed: root seed; equal seeds propose equal strategies in equal order.
        num_blocks: depth of a backbone by name, or None if unknown; it snaps `freeze` to block borders.
        done: canonical keys of strategies that were finished before (a resumed search), with their trial's name;
            they are proposed to nobody, and count towards `trials`.
    """

    def __init__(
        self,
        space: StrategySpace,
        trials: int,
        seed: int,
        *,
        num_blocks: Callable[[str], int | None] = lambda _: None,
        done: Mapping[str, str] | None = None,
    ) -> None:
        self._space = space
        self._trials = trials
        self._num_blocks = num_blocks
        self._random = random.Random(derive_seed(seed, "proposer"))
        self._done = dict(done or {})
        self._seen: dict[str, str] = {}
        self.is_exhausted = False

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        """The next strategy, or None when the budget or the space is used up."""
        while len(self._seen) < self._trials:
            proposal = self._draw(on_duplicate)
            if proposal is None:
                self.is_exhausted = True
                return None
            if proposal.strategy.key() not in self._done:
                return proposal
        return None

    def _draw(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        for _ in range(MAX_REPEATS):
            strategy = self._canonical(self._space.sample(self._random))
            key = strategy.key()
            if key not in self._seen:
                self._seen[key] = f"t{len(self._seen) + 1:02d}"
                return Proposal(self._seen[key], strategy)
            on_duplicate(Duplicate(of=self._seen[key], key=key))
        return None

    def _canonical(self, strategy: Strategy) -> Strategy:
        return strategy.canonical(self._num_blocks(strategy.backbone))
