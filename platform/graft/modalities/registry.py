"""From a job's word to the modality."""

from functools import cache

from graft.modalities.protocol import Modality
from graft.spec.registry import build, members


@cache
def build_modality(kind: str) -> Modality:
    """The modality of a kind; a data section says its own.

    Raises:
        SpecError: it is another package's, and cannot be built.
    """
    modality: Modality = build(members("modality")[kind].model_validate({}))
    return modality
