"""What a user reads when a store cannot be listed, and what is listed when it can."""

import pytest

from graft.core.errors import DataError, GraftError, ResourceError
from graft.data.remote import listing
from graft.data.remote.address import Address
from graft.data.remote.listing import contact, list_below
from graft.data.remote.patience import Patience


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(listing, "FIRST_CONTACT", Patience(0.0))


def told(uri: str) -> GraftError:
    with pytest.raises(GraftError) as caught:
        list(list_below(Address.of(uri)))
    assert "\n" not in str(caught.value)
    return caught.value


def test_all_below_a_folder_is_listed_with_sizes_and_versions(s3):
    s3.put("set/cat/1.png", b"12")
    s3.put("set/cat/deep/2 é.png", b"123")
    s3.put("set/readme.md", b"1")
    s3.put("settings/x.png", b"1")
    found = {entry.path: entry for entry in list_below(Address.of(s3.at("set")))}
    assert {path for path, entry in found.items() if entry.is_folder} == {"cat", "cat/deep"}
    assert {path: entry.size for path, entry in found.items() if not entry.is_folder} == {
        "cat/1.png": 2,
        "cat/deep/2 é.png": 3,
        "readme.md": 1,
    }
    assert found["cat/1.png"].version


def test_a_bucket_can_be_listed_from_its_top(s3):
    s3.put("cat/1.png", b"12")
    assert [entry.path for entry in list_below(Address.of(s3.at()))] == ["cat", "cat/1.png"]


def test_a_missing_bucket_a_missing_prefix_and_a_file_are_told(s3):
    s3.put("set/cat/1.png", b"12")
    missing = told("s3://no-such-bucket/x")
    assert isinstance(missing, DataError)
    assert "there is no bucket no-such-bucket; check its name" in str(missing)
    assert "there is nothing there; check the path" in str(told(s3.at("sets")))
    assert "must be a folder, not a file" in str(told(s3.at("set/cat/1.png")))


@pytest.mark.parametrize("uri", ["s3://bucket/x", "gs://bucket/x", "abfs://box@acc.dfs.core.windows.net/x"])
def test_without_credentials_the_variable_is_named_before_anything_is_asked(no_stores, uri, monkeypatch):
    monkeypatch.setattr("graft.data.remote.arrow_store.arrow_store", None)
    error = told(uri)
    assert isinstance(error, ResourceError)
    variable = {"s3": "AWS_ACCESS_KEY_ID", "gs": "GOOGLE_APPLICATION_CREDENTIALS", "abfs": "AZURE_STORAGE_ACCOUNT_KEY"}
    assert f"{variable[uri.partition(':')[0]]} is not set; set it" in str(error)


def test_keys_that_the_store_refuses_are_told(s3, monkeypatch):
    # What Amazon says, which is not always what moto does.
    from graft.data.remote import store

    class Refusing:
        def entry(self, key):
            raise OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body.")

        def entries(self, key, is_deep):
            raise OSError(
                "When listing objects: AWS Error INVALID_ACCESS_KEY_ID during ListObjectsV2 operation: "
                "The AWS Access Key Id you provided does not exist in our records. (Request ID: abc)"
            )

    monkeypatch.setattr(store, "_store", lambda *args: Refusing())
    error = told(s3.at("set"))
    assert isinstance(error, ResourceError)
    assert "refuses these credentials (The AWS Access Key Id you provided does not exist" in str(error)
    assert "Request ID" not in str(error)


def test_an_endpoint_that_is_down_or_unknown_is_told(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    error = told(s3.at("set"))
    assert isinstance(error, ResourceError)
    assert "cannot be reached (Failed to connect to 127.0.0.1" in str(error)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://graft.invalid")
    assert "cannot be reached (Could not resolve host: graft.invalid" in str(told(s3.at("set")))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1/path")
    assert "AWS_ENDPOINT_URL is 127.0.0.1/path, but must be an address" in str(told(s3.at("set")))


def test_the_hub_is_not_asked_where_the_user_says_so(no_stores, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "because HF_HUB_OFFLINE is set" in str(told("hf://datasets/user/pictures"))


def test_a_file_on_the_web_is_found_or_not(web):
    root, url = web
    (root / "a.csv").write_text("x")
    assert contact(Address.of(f"{url}/a.csv")).size == 1
    with pytest.raises(DataError, match="there is nothing there"):
        contact(Address.of(f"{url}/b.csv"))
    with pytest.raises(ResourceError, match="cannot be reached"):
        contact(Address.of("http://127.0.0.1:1/b.csv"))


def test_keys_that_the_server_does_not_know_are_told(s3, knows_nobody):
    s3.put("set/cat/1.png", b"1")
    knows_nobody(True)
    error = told(s3.at("set"))
    assert isinstance(error, ResourceError)
    assert f"s3://{s3.name} refuses these credentials (The AWS Access Key Id you provided does not" in str(error)
    assert "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(error)
    assert "not-a-secret" not in str(error)
