"""Samples that have been found by their places, before a modality hands them on as its listing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graft.data.contents.parts import Contents
from graft.data.listing import Listing
from graft.data.overview import Ignored
from graft.data.tables.side_columns import Sides
from graft.data.targets import RawTargets


@dataclass(frozen=True)
class PlacedSamples:
    """Samples in a fixed order, each with its place.

    Attributes:
        ids: such as ``train-0001.tar/cats/0007``.
        sources: where each is.
        contents: reads what is there.
        targets: what the labels say.
        given: uint8 [N], the split that the source says, or `UNASSIGNED`.
        identity: digest of files, their sizes and times of change, and of what is read of them.
        ignored: what is no sample, by its reason.
        versions: as `Listing` has them.
        sides: groups, times and weights.
    """

    ids: Sequence[str]
    sources: Sequence[bytes]
    contents: Contents
    targets: RawTargets
    given: np.ndarray
    identity: str
    ignored: tuple[Ignored, ...] = ()
    versions: Sequence[str] | None = None
    sides: Sides = field(default_factory=Sides)

    def listing(self, source: str, reader: Any, facts: Mapping[str, Any]) -> Listing:
        """The same as a modality hands it on.

        Args:
            source: what it is, for people.
            reader: turns a place into a sample.
            facts: of the modality.
        """
        return Listing(
            source=source,
            ids=self.ids,
            targets=self.targets,
            given=self.given,
            identity=self.identity,
            sources=self.sources,
            reader=reader,
            facts=facts,
            ignored=self.ignored,
            versions=self.versions,
            groups=self.sides.groups,
            times=self.sides.times,
            weights=self.sides.weights,
        )
