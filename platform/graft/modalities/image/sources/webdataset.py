"""WebDataset shards of images."""

from graft.data.archives.webdataset import list_shards
from graft.data.listing import Listing, Progress
from graft.data.read import MAX_FILE_BYTES
from graft.modalities.image.read import EncodedReader
from graft.spec.modalities.webdataset import WebDatasetData


def list_webdataset(spec: WebDatasetData, progress: Progress | None = None) -> Listing:
    """List the images of tar archives.

    Raises:
        DataError: a shard cannot be used, or its samples have no labels.
    """
    found = list_shards(spec, MAX_FILE_BYTES, progress)
    reader = EncodedReader(found.contents, spec.max_pixels)
    return found.listing(f"images in {spec.path}", reader, {"max_pixels": spec.max_pixels})
