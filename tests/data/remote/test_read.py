"""Samples of a store: one by one, ahead of each other, and through faults."""

import threading
from http.server import BaseHTTPRequestHandler

import pytest
from tests.fixtures.stores import serving

from graft.core.errors import ResourceError
from graft.data.read import Unreachable, Unreadable, read_file
from graft.data.remote import listing, read
from graft.data.remote.faults import Fault, StoreError
from graft.data.remote.patience import Patience
from graft.data.remote.read import fetching

MIB = 1024**2


class FakeStore:
    """Gives the last part of an address as content, after so many failures of each."""

    def __init__(self, failures=0, error=None, refused=None):
        self.failures, self.error, self.refused = failures, error or OSError("AWS Error NETWORK_CONNECTION"), refused
        self.reads: list[str] = []
        self.lock = threading.Lock()

    def read(self, key, most, reserve):
        with self.lock:
            self.reads.append(key)
            if self.reads.count(key) <= self.failures:
                raise self.error
        reserve(len(key))
        return key.encode()

    def entries(self, folder, is_deep):
        if self.refused:
            raise self.refused
        return []


@pytest.fixture
def store(monkeypatch):
    def use(fake, patience=1000.0):
        waited: list[float] = []
        monkeypatch.setattr(read, "open_store", lambda address: fake)
        monkeypatch.setattr(listing, "open_store", lambda address: fake)
        clock = [0.0]

        def wait(seconds):
            waited.append(seconds)
            clock[0] += seconds

        monkeypatch.setattr(read, "READING", Patience(patience, wait, lambda: clock[0]))
        return waited

    return use


def test_a_connection_that_is_cut_is_waited_for_ever_more_seldom(store):
    waited = store(FakeStore(failures=6))
    assert read.read_remote(b"s3://b/x", MIB) == b"x"
    assert waited == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_a_store_that_stays_away_is_nobodys_damage(store):
    store(FakeStore(failures=1000), patience=90.0)
    with pytest.raises(ResourceError, match=r"s3://b cannot be reached .*check the network and AWS_ENDPOINT_URL"):
        read.read_remote(b"s3://b/x", MIB)


def test_credentials_that_expire_end_the_ingest(store):
    expired = OSError("AWS Error UNKNOWN (HTTP status 400) during GetObject operation: ExpiredToken: token has expired")
    store(FakeStore(failures=9, error=expired))
    with pytest.raises(ResourceError, match=r"credentials for s3://b have expired .*renew them, and run again"):
        read.read_remote(b"s3://b/x", MIB)


def test_one_object_that_is_denied_is_not_all_of_them(store):
    denied = OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body.")
    store(FakeStore(failures=9, error=denied))
    with pytest.raises(Unreachable, match="cannot be had"):
        read.read_remote(b"s3://b/x", MIB)
    store(FakeStore(failures=9, error=denied, refused=OSError("AWS Error ACCESS_DENIED during ListObjectsV2: no")))
    with pytest.raises(ResourceError, match="refuses these credentials"):
        read.read_remote(b"s3://b/x", MIB)


def test_what_is_gone_since_it_was_listed_is_named(s3):
    source = s3.put("set/1.png", b"1").encode()
    assert read_file(source) == b"1"
    s3.delete("set/1.png")
    with pytest.raises(Unreadable, match="is not there any more") as caught:
        read_file(source)
    assert not isinstance(caught.value, Unreachable)


def test_a_large_object_is_not_read(s3):
    with pytest.raises(Unreadable, match="more than a sample can have"):
        read_file(s3.put("1.png", bytes(11)).encode(), 10)


def test_a_server_of_the_web_that_is_down_costs_its_files_alone(store):
    store(FakeStore(failures=1000), patience=1.0)
    with pytest.raises(Unreachable, match="cannot be had"):
        read.read_remote(b"https://h/x", MIB)


def test_the_next_ones_are_on_their_way_in_order_and_each_once(store):
    fake = FakeStore()
    store(fake)
    sources = [b"s3://b/%d" % place for place in range(50)]
    with fetching([*sources, sources[0], b"/a/file"], MIB):
        assert [read.read_remote(source, MIB) for source in sources] == [b"%d" % place for place in range(50)]
        assert read.read_remote(sources[0], MIB) == b"0"
        assert read.read_remote(b"s3://b/other", MIB) == b"other"
    assert sorted(fake.reads) == sorted([*(str(place) for place in range(50)), "0", "other"])


def test_nothing_is_fetched_that_nobody_asks_for(store):
    fake = FakeStore()
    store(fake)
    with fetching([b"https://h/a text that begins so"], MIB):
        pass
    assert fake.reads == []


def test_those_on_their_way_hold_no_more_than_they_may(store, monkeypatch):
    monkeypatch.setattr(read, "AHEAD_BYTES", 10)
    held, most = [0], [0]

    class Heavy(FakeStore):
        def read(self, key, most_bytes, reserve):
            reserve(4)
            held[0] += 4
            most[0] = max(most[0], held[0])
            return key.encode()

    store(Heavy())
    sources = [b"s3://b/%d" % place for place in range(40)]
    with fetching(sources, MIB):
        for source in reversed(sources[:5]):  # in another order than said: who is waited for comes first
            read.read_remote(source, MIB)
            held[0] -= 4
        for source in sources[5:]:
            read.read_remote(source, MIB)
            held[0] -= 4
    assert most[0] <= 10 + 4


def test_who_leaves_waits_for_nobody(store, monkeypatch):
    reached = threading.Event()

    class Away(FakeStore):
        def read(self, key, most, reserve):
            if key == "0":
                return b"0"
            reached.set()
            raise StoreError(Fault.NETWORK, "away")

    store(Away())
    monkeypatch.setattr(read, "READING", Patience(1000.0))
    with fetching([b"s3://b/0", b"s3://b/1"], MIB):
        assert read.read_remote(b"s3://b/0", MIB) == b"0"
        assert reached.wait(10)


def test_servers_that_tell_machines_their_credentials_are_not_asked(no_stores):
    for host in ("169.254.169.254", "metadata.google.internal", "169.254.169.254:80"):
        with pytest.raises(Unreadable, match="holds no data"):
            read_file(f"http://{host}/latest/meta-data".encode())


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", {"/cloud": "http://169.254.169.254/x", "/file": "file:///etc/passwd"}[self.path])
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize("path", ["cloud", "file"])
def test_no_server_leads_to_them_or_to_a_file(no_stores, path):
    with serving(_Elsewhere) as url, pytest.raises(Unreachable, match="cannot be had"):
        read_file(f"{url}/{path}".encode())


def test_keys_that_are_taken_back_in_the_middle_end_the_ingest_and_the_next_one_goes_on(s3, knows_nobody, monkeypatch):
    sources = [s3.put(f"set/{place}.png", b"%d" % place).encode() for place in range(4)]
    with fetching(sources, MIB):
        assert read_file(sources[0]) == b"0"
    knows_nobody(True)
    with fetching(sources, MIB), pytest.raises(ResourceError, match="refuses these credentials"):
        read_file(sources[1])
    knows_nobody(False)
    assert [read_file(source) for source in sources] == [b"0", b"1", b"2", b"3"]
