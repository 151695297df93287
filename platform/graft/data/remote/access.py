"""Credentials of stores: where each store's own tools look for them, and which are missing.

graft holds no credential: it is read from the environment by the process that reads the data, on the machine where it
runs, and is in no job, journal, log, dataset or message.
"""

import configparser
import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from graft.core.stores.s3 import SAYS_YES
from graft.data.remote.address import Address

_METADATA_SERVICE = {"s3": ("169.254.169.254", 80), "gs": ("metadata.google.internal", 80)}
_METADATA_PATIENCE_S = 0.5


def lacking(address: Address, environment: Mapping[str, str] | None = None) -> str | None:
    """What is missing to open a store, and what to set; None if nothing is.

    Args:
        address: of something in it.
        environment: of the process; the real one if left out.
    """
    given = os.environ if environment is None else environment
    check = {"s3": _s3, "gs": _google, "abfs": _azure}.get(address.scheme)
    return check(address, given) if check else None


def is_anonymous(address: Address, environment: Mapping[str, str] | None = None) -> bool:
    """Whether the user says that the store is open to everybody."""
    given = os.environ if environment is None else environment
    name = {"s3": "AWS_NO_SIGN_REQUEST", "gs": "GS_NO_SIGN_REQUEST"}.get(address.scheme, "")
    return given.get(name, "").lower() in SAYS_YES


def _s3(address: Address, given: Mapping[str, str]) -> str | None:
    """As the AWS SDK: environment, profile, web identity, container, machine."""
    pair = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    present = [name for name in pair if given.get(name)]
    if len(present) == 1:
        absent = next(name for name in pair if name not in present)
        return f"{absent} is not set (only {present[0]} is); set both"
    elsewhere = (
        "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    )  # fmt: skip
    if present or is_anonymous(address, given) or any(given.get(name) for name in elsewhere):
        return None
    profile = given.get("AWS_PROFILE") or given.get("AWS_DEFAULT_PROFILE")
    profiles = _aws_profiles(given)
    if profile and profile not in profiles:
        return f"AWS_PROFILE is {profile}, but there is no such profile in ~/.aws; correct it"
    if (profile or "default") in profiles:
        return None
    if given.get("AWS_EC2_METADATA_DISABLED", "").lower() not in SAYS_YES and _answers("s3"):
        return None
    return (
        "AWS_ACCESS_KEY_ID is not set; set it and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (a store that is not Amazon's "
        "wants AWS_ENDPOINT_URL too, a public bucket AWS_NO_SIGN_REQUEST=yes)"
    )


def _aws_profiles(given: Mapping[str, str]) -> set[str]:
    """Names of the profiles in the files of the AWS tools."""
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
        "AWS_CONFIG_FILE": "~/.aws/config",
    }
    found: set[str] = set()
    for name, usual in files.items():
        parser = configparser.RawConfigParser()
        with contextlib.suppress(configparser.Error, OSError, UnicodeDecodeError):
            parser.read(os.path.expanduser(given.get(name) or usual), encoding="utf-8")
        found |= {
            section.removeprefix("profile ").strip()
            for section in parser.sections()
            if any(key in parser[section] for key in _CREDENTIAL_KEYS)
        }
    return found


# A profile may hold a region alone.
_CREDENTIAL_KEYS = ("aws_access_key_id", "role_arn", "credential_process", "sso_session", "sso_start_url")


def _google(address: Address, given: Mapping[str, str]) -> str | None:
    """As Google's libraries: a file that is named, the file of `gcloud`, the machine."""
    if is_anonymous(address, given) or google_emulator(given):
        return None
    named = given.get("GOOGLE_APPLICATION_CREDENTIALS")
    if named:
        told = f"GOOGLE_APPLICATION_CREDENTIALS is {named}, but there is no such file; correct it"
        return None if Path(named).is_file() else told
    settings = Path(os.path.expanduser(given.get("CLOUDSDK_CONFIG") or "~/.config/gcloud"))
    if (settings / "application_default_credentials.json").is_file() or _answers("gs"):
        return None
    return (
        "GOOGLE_APPLICATION_CREDENTIALS is not set; set it to the file of a service account's key, or run `gcloud auth "
        "application-default login` (a public bucket wants GS_NO_SIGN_REQUEST=yes)"
    )


def google_emulator(given: Mapping[str, str] | None = None) -> str | None:
    """The address of a server that stands in for Google's."""
    return (os.environ if given is None else given).get("STORAGE_EMULATOR_HOST")


def _azure(address: Address, given: Mapping[str, str]) -> str | None:
    """An account, and a key, a shared access signature, a service principal or an identity."""
    if "@" not in address.place and not given.get("AZURE_STORAGE_ACCOUNT_NAME"):
        return (
            "AZURE_STORAGE_ACCOUNT_NAME is not set; set it, or name the account in the address, as in "
            "abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH"
        )
    ways = (
        "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE",
        "IDENTITY_ENDPOINT", "MSI_ENDPOINT",
    )  # fmt: skip
    if any(given.get(name) for name in ways) or os.path.exists(os.path.expanduser("~/.azure/msal_token_cache.json")):
        return None
    return (
        "AZURE_STORAGE_ACCOUNT_KEY is not set; set it, or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID with "
        "AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or run `az login`"
    )


def _answers(scheme: str) -> bool:
    """Whether this is a machine of the store's own cloud, which gives its machines credentials."""
    try:
        with socket.create_connection(_METADATA_SERVICE[scheme], timeout=_METADATA_PATIENCE_S):
            return True
    except OSError:
        return False
