"""Samples of a store are fetched ahead, whoever decodes them."""

import threading

import numpy as np

from graft.data.decoding.ahead import decoded
from graft.data.listing import DecodedBlock
from graft.data.read import read_file
from graft.data.remote import read


class Store:
    """Answers nobody before so many have asked."""

    def __init__(self, together: int) -> None:
        self.barrier = threading.Barrier(together)

    def read(self, key, most, reserve):
        self.barrier.wait(20)
        return key.encode()


def decoder(sources):
    contents = [read_file(source) for source in sources]
    return DecodedBlock({"x": np.zeros(len(sources))}, [content.decode() for content in contents], [""] * len(sources))


def test_a_store_is_asked_for_several_samples_at_once(monkeypatch):
    store = Store(together=4)
    monkeypatch.setattr(read, "open_store", lambda address: store)
    assert decoded(decoder, [b"s3://b/%d" % place for place in range(4)]).digests == ["0", "1", "2", "3"]


def test_files_of_this_machine_are_read_as_they_are(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert decoded(decoder, [str(tmp_path / "a").encode()]).digests == ["x"]
