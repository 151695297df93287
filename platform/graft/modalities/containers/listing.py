"""From a container to the listing of its samples, by the modality that the job has them of."""

from importlib import import_module

from graft.data.listing import Listing, Progress
from graft.spec.modalities.container import ContainerSource


def list_container(spec: ContainerSource, progress: Progress | None = None) -> Listing:
    """List the samples of a container: ``list_<kind>`` in ``modalities/<modality>/sources/<kind>``.

    Raises:
        DataError: the container cannot be used.
    """
    module = import_module(f"graft.modalities.{spec.modality}.sources.{spec.kind}")
    listing: Listing = getattr(module, f"list_{spec.kind}")(spec, progress)
    return listing
