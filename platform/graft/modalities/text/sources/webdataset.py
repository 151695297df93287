"""WebDataset shards of texts."""

from graft.data.archives.webdataset import list_shards
from graft.data.listing import Listing, Progress
from graft.data.tables.encoding import decoder_of
from graft.modalities.text.files import MAX_TEXT_BYTES, EncodedText
from graft.spec.modalities.webdataset import WebDatasetData


def list_webdataset(spec: WebDatasetData, progress: Progress | None = None) -> Listing:
    """List the texts of tar archives.

    Raises:
        DataError: a shard cannot be used, its samples have no labels, or there is no such encoding.
    """
    decoder_of(spec.encoding)
    found = list_shards(spec, MAX_TEXT_BYTES, progress)
    reader = EncodedText(found.contents, spec.encoding)
    facts = {"max_characters": spec.max_characters, "encoding": spec.encoding}
    return found.listing(f"texts in {spec.path}", reader, facts)
