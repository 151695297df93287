"""Decoding of several samples, those of a store fetched ahead of the one that is decoded."""

from collections.abc import Sequence

from graft.data.listing import DecodedBlock, Decoder
from graft.data.read import MAX_FILE_BYTES
from graft.data.remote.address import is_remote_source


def decoded(decoder: Decoder, sources: Sequence[bytes]) -> DecodedBlock:
    """What a decoder makes of some samples, in their order.

    Raises:
        ResourceError: memory has run out, or a store cannot be reached.
    """
    if not any(map(is_remote_source, sources)):
        return decoder(sources)
    from graft.data.remote.read import fetching  # its libraries take a second

    with fetching(sources, MAX_FILE_BYTES):
        return decoder(sources)
