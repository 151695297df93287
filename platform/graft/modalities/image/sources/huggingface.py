"""Images of Hugging Face data sets."""

from graft.data.hub.listing import list_hub
from graft.data.listing import Listing, Progress
from graft.modalities.image.read import EncodedReader
from graft.spec.modalities.huggingface import HuggingFaceData


def list_huggingface(spec: HuggingFaceData, progress: Progress | None = None) -> Listing:
    """List the images of a set.

    Raises:
        DataError: it cannot be used.
        ResourceError: the hub cannot be reached.
    """
    found = list_hub(spec, progress)
    reader = EncodedReader(found.contents, spec.max_pixels)
    return found.listing(f"images in {spec.told}", reader, {"max_pixels": spec.max_pixels, "column": spec.image})
