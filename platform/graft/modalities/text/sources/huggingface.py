"""Texts of Hugging Face data sets."""

from graft.data.hub.listing import list_hub
from graft.data.listing import Listing, Progress
from graft.modalities.text.files import EncodedText
from graft.spec.modalities.huggingface import HuggingFaceData


def list_huggingface(spec: HuggingFaceData, progress: Progress | None = None) -> Listing:
    """List the texts of a set.

    Raises:
        DataError: it cannot be used.
        ResourceError: the hub cannot be reached.
    """
    found = list_hub(spec, progress)
    facts = {"max_characters": spec.max_characters, "encoding": "utf-8", "text_column": spec.text}
    return found.listing(f"texts in {spec.told}", EncodedText(found.contents), facts)
