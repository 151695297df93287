"""`strategy.augment`: random changes of the training samples."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from graft.spec.base import Component
from graft.spec.modalities.base import DataSpec


class Augmentation(Component):
    """Random changes of the training samples; built from (spec, data section)."""

    modality: ClassVar[str | None] = None
    """Kind of the modality whose samples it changes; None for any."""

    @property
    def num_views(self) -> int | None:
        """How many versions of a sample there are: 0 if it is not changed, None if there is no end of them."""
        return None

    @classmethod
    def misfit(cls, given: Mapping[str, Any], data: DataSpec) -> str:
        """What of the keys that a job gives does not fit its data, as ``is …, but …``; empty if all does."""
        return ""

    def simplest(self) -> "Augmentation":
        """The augmentation that means the same with the fewest parameters."""
        return NoAugmentation() if self.num_views == 0 else self


class NoAugmentation(Augmentation):
    """Every epoch sees the same samples."""

    kind: Literal["none"] = "none"

    @property
    def num_views(self) -> int | None:
        """None is made."""
        return 0

    def simplest(self) -> Augmentation:
        """It is the simplest."""
        return self
