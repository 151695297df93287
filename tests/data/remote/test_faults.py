"""What libraries of stores say, sorted by what can be done about it."""

import pytest

from graft.core.errors import DataError, ResourceError
from graft.data.remote.address import Address
from graft.data.remote.faults import Fault, StoreError, sorted_fault, told

HEAD = "When reading information for key 'd/x' in bucket 'b': AWS Error {} during HeadObject operation: {}"


@pytest.mark.parametrize(
    ("error", "fault", "words"),
    [
        (OSError(HEAD.format("ACCESS_DENIED", "No response body.")), Fault.DENIED, "ACCESS_DENIED"),
        (OSError(HEAD.format("UNKNOWN (HTTP status 400)", "ExpiredToken: too old")), Fault.EXPIRED, "ExpiredToken"),
        (
            OSError("AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation: The specified bucket"),
            Fault.NO_BUCKET,
            "The",
        ),
        (OSError(HEAD.format("SLOW_DOWN", "Please reduce")), Fault.NETWORK, "Please reduce"),
        (OSError(HEAD.format("UNKNOWN (HTTP status 503)", "No response body.")), Fault.NETWORK, "UNKNOWN"),
        (
            OSError(
                "AWS Error NETWORK_CONNECTION during X operation: curlCode: 7, Could not connect; Details: Failed to h"
            ),
            Fault.NETWORK,
            "Failed to h",
        ),
        (FileNotFoundError(2, "Path does not exist 'b/x'"), Fault.NOTHING_THERE, "there is nothing there"),
        (FileNotFoundError(2, "NOT_FOUND: The specified bucket does not exist."), Fault.NO_BUCKET, "NOT_FOUND"),
        (ConnectionResetError(104, "Connection reset by peer"), Fault.NETWORK, "Connection reset"),
        (TimeoutError("timed out"), Fault.NETWORK, "timed out"),
        (OSError("something new"), Fault.OTHER, "something new"),
        (StoreError(Fault.DENIED, "no"), Fault.DENIED, "no"),
    ],
)
def test_an_error_is_sorted(error: Exception, fault: Fault, words: str) -> None:
    found = sorted_fault(error)
    assert found is not None
    assert found.fault is fault
    assert words in found.told


@pytest.mark.parametrize("error", [TypeError("a bug"), KeyError("x"), ValueError("no")])
def test_what_no_store_has_raised_is_not_sorted(error: Exception) -> None:
    assert sorted_fault(error) is None


def test_words_of_a_store_hold_no_password_and_are_short() -> None:
    found = sorted_fault(OSError("could not open https://user:verysecret@host/x?sig=verysecret " + "x" * 1000))
    assert found is not None
    assert "verysecret" not in found.told
    assert len(found.told) <= 200


@pytest.mark.parametrize("scheme", ["s3://b/x", "gs://b/x", "abfs://c@a/x", "hf://datasets/u/n", "https://h/x"])
@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_of_every_store_is_one_line_with_something_to_do(scheme: str, fault: Fault) -> None:
    error = told(Address.of(scheme), StoreError(fault, "because"))
    assert isinstance(error, DataError | ResourceError)
    assert "\n" not in str(error)
    assert ";" in str(error)
    is_of_the_user = fault in (Fault.NO_BUCKET, Fault.NOTHING_THERE)
    assert isinstance(error, DataError) is is_of_the_user
