"""What is fixed when an exploration begins."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.core.errors import SpecError
from graft.exploration.requirement import Requirement
from graft.pipeline.exploration.backbone import Embedding
from graft.pipeline.exploration.pool import Pool
from graft.pipeline.exploration.start import started, told_start
from graft.spec.components.initialisation import Pretrained
from graft.spec.meta.proposers import ProposerSpec


@dataclass(frozen=True)
class Settings:
    """What is fixed for all of an exploration.

    Attributes:
        requirement: when enough is known.
        budget: labels of all kinds.
        seed: of all that is random.
        proposer: of samples to train on.
    """

    requirement: Requirement
    budget: int
    seed: int
    proposer: ProposerSpec

    def to_dict(self, embedding: Embedding) -> dict[str, Any]:
        """What must be the same when it goes on.

        Args:
            embedding: whose features the pool has.
        """
        return {
            "requirement": str(self.requirement),
            "budget": self.budget,
            "seed": self.seed,
            "proposer": self.proposer.model_dump(mode="json"),
            "backbone": embedding.strategy.backbone,
            "init": told_start(embedding.strategy.init),
            **embedding.prepared,
        }


def require_same(path: Path, pool: Pool, settings: Settings) -> None:
    """A requirement that is chosen after its audit has been seen is no requirement.

    Args:
        path: journal of the exploration, which may not have begun.
        pool: that it is to go on with.
        settings: that it is to go on with.

    Raises:
        SpecError: it was begun with others.
    """
    begun = started(path)
    if begun is None:
        return
    now = json.loads(json.dumps({"pool": pool.source, **settings.to_dict(pool.embedding)}))
    # Journals of before there were meta-models say nothing of them.
    for key, value in {"pool": begun.pool, "init": told_start(Pretrained()), **begun.settings}.items():
        if now.get(key) != value:
            told = f"{key} is {now.get(key)}, but exploration {path.parent.name} was begun with {value}"
            raise SpecError(f"{told}; give that again, or begin another one with --name")
