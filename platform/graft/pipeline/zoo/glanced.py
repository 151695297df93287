"""What is known of networks before anything heavy is imported, and what that leaves to `graft plan`."""

from collections.abc import Callable, Iterator, Sequence

from graft.core.errors import Problem
from graft.models.info import BackboneInfo
from graft.models.zoo import find_entry, glance_problem, is_told_by_files, name_problem
from graft.pipeline.zoo.own_heads import needing_head
from graft.spec.fit import taken_by
from graft.spec.job import Job
from graft.spec.modalities.base import ModalitySpec
from graft.spec.registry import members

_EDITS = ("structure", "tune")


def glanced_problems(job: Job) -> Iterator[Problem]:
    """What is wrong with the files of a job's networks, as far as headers and configurations tell.

    Raises:
        ResourceError: a file cannot be read at the moment.
    """
    for name in job.reach.values("backbone"):
        if is_told_by_files(name) and (told := glance_problem(name)):
            yield Problem("strategy.backbone", f"is {name}, but {told}")


def known_info(name: str) -> BackboneInfo | None:
    """The facts about a backbone, where no library need be asked."""
    return None if name_problem(name) else find_entry(name).info


def known_modality(name: str) -> str | None:
    """What samples a backbone takes, where no library need be asked."""
    info = known_info(name)
    return info.modality if info else None


def size_notes(job: Job, info_of: Callable[[str], BackboneInfo | None] = known_info) -> Sequence[str]:
    """Sizes that backbones of a job cannot take as it asks for them, though they can be trained.

    Args:
        job: which.
        info_of: the facts about a backbone, by its name; None if they are not known.
    """
    kind = job.data.modality
    infos = [info for info in map(info_of, job.reach.values("backbone")) if info is not None]
    modality = members("modality")[kind]
    assert issubclass(modality, ModalitySpec), "what is registered as a modality is one"
    return modality.notes_on_sizes(
        job.reach, {one.name: one.input.native_size for one in infos if one.modality == kind}
    )


def sample_problems(job: Job, modality_of: Callable[[str], str | None] = known_modality) -> Iterator[Problem]:
    """Backbones that take samples of another kind than the data are.

    Args:
        job: which.
        modality_of: what samples a backbone takes, by its name; None if that is not known.
    """
    modality = job.data.modality
    for name in job.reach.values("backbone"):
        takes = modality_of(name)
        if takes is not None and takes != modality:
            told = f"is {name}, which takes {taken_by(takes)}, but the data are {taken_by(modality)}; name another"
            yield Problem("strategy.backbone", told)


def left_by_a_glance(job: Job) -> list[str]:
    """What these files do not tell, to follow "only graft plan finds out"."""
    names = filter(is_told_by_files, job.reach.values("backbone"))
    edits = [f"strategy.{key}" for key in _EDITS if key in dict(job.reach.root.fields)]
    layers = f", and whether it has the layers of {' and '.join(edits)}" if edits else ""
    heads = "".join(f", and whether they hold the head that {kind} needs" for kind in needing_head(job))
    return [f"whether {name} takes such samples, and whether its weights fit{heads}{layers}" for name in names]
