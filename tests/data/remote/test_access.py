"""Which credential is missing, told before a store is asked."""

from pathlib import Path

import pytest

from graft.data.remote import access
from graft.data.remote.access import lacking
from graft.data.remote.address import Address

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
NO_CLOUD = {"AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without files, on no machine of a cloud."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(access, "_METADATA_SERVICE", {"s3": ("127.0.0.1", 1), "gs": ("127.0.0.1", 1)})
    return tmp_path


@pytest.mark.parametrize(
    "environment",
    [
        KEYS,
        {"AWS_NO_SIGN_REQUEST": "YES"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"},
    ],
)
def test_there_are_many_ways_into_s3(environment: dict[str, str]) -> None:
    assert lacking(Address.of("s3://b/x"), environment) is None


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (NO_CLOUD, "AWS_ACCESS_KEY_ID is not set; set it and AWS_SECRET_ACCESS_KEY"),
        ({}, "AWS_ACCESS_KEY_ID is not set"),
        ({"AWS_ACCESS_KEY_ID": "a"}, "AWS_SECRET_ACCESS_KEY is not set (only AWS_ACCESS_KEY_ID is); set both"),
        ({"AWS_SECRET_ACCESS_KEY": "a"}, "AWS_ACCESS_KEY_ID is not set (only AWS_SECRET_ACCESS_KEY is); set both"),
        ({"AWS_PROFILE": "work"}, "AWS_PROFILE is work, but there is no such profile in ~/.aws"),
    ],
)
def test_what_s3_lacks_is_named(environment: dict[str, str], told: str) -> None:
    assert told in str(lacking(Address.of("s3://b/x"), environment))


def test_profiles_of_the_aws_tools_count_if_they_hold_a_credential(nowhere: Path) -> None:
    (nowhere / ".aws").mkdir()
    (nowhere / ".aws" / "credentials").write_text("[work]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (nowhere / ".aws" / "config").write_text("[profile role]\nrole_arn = x\n[profile region]\nregion = eu-west-1\n")
    for profile, is_there in {"work": True, "role": True, "region": False}.items():
        found = lacking(Address.of("s3://b/x"), {"AWS_PROFILE": profile, **NO_CLOUD})
        assert (found is None) is is_there, profile
    assert "AWS_ACCESS_KEY_ID" in str(lacking(Address.of("s3://b/x"), NO_CLOUD))
    (nowhere / ".aws" / "credentials").write_bytes(b"\xff\xfe no such file")
    assert "AWS_ACCESS_KEY_ID" in str(lacking(Address.of("s3://b/x"), NO_CLOUD))


def test_google_and_azure_name_theirs(nowhere: Path) -> None:
    google, azure = Address.of("gs://b/x"), Address.of("abfs://c/x")
    assert "GOOGLE_APPLICATION_CREDENTIALS is not set" in str(lacking(google, {}))
    assert "there is no such file" in str(lacking(google, {"GOOGLE_APPLICATION_CREDENTIALS": "/none.json"}))
    (nowhere / "key.json").touch()
    assert lacking(google, {"GOOGLE_APPLICATION_CREDENTIALS": str(nowhere / "key.json")}) is None
    assert lacking(google, {"GS_NO_SIGN_REQUEST": "1"}) is None
    assert "AZURE_STORAGE_ACCOUNT_NAME is not set" in str(lacking(azure, {}))
    account = {"AZURE_STORAGE_ACCOUNT_NAME": "acc"}
    assert "AZURE_STORAGE_ACCOUNT_KEY is not set" in str(lacking(azure, account))
    assert lacking(azure, {**account, "AZURE_STORAGE_SAS_TOKEN": "x"}) is None


def test_the_web_and_the_hub_need_none() -> None:
    for uri in ("https://h/x", "hf://datasets/u/n"):
        assert lacking(Address.of(uri), {}) is None
