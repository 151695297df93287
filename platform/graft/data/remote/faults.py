"""What a store's libraries say when something is wrong, told so that a user can act on it. Pure."""

import re
from enum import Enum

from graft.core.credentials import redact
from graft.core.errors import DataError, GraftError, ResourceError
from graft.data.remote.address import Address


class Fault(Enum):
    """What is wrong, by what can be done about it."""

    NETWORK = "network"
    """The store does not answer, or not now; it may the next time."""
    NO_BUCKET = "no_bucket"
    NOTHING_THERE = "nothing_there"
    DENIED = "denied"
    """The store knows nobody of this name, or lets them not in."""
    EXPIRED = "expired"
    OFFLINE = "offline"
    """The user has said that the hub must not be asked."""
    OTHER = "other"


class StoreError(Exception):
    """A store's error, sorted.

    Args:
        fault: what it is.
        told: by the store, in a few words.
    """

    def __init__(self, fault: Fault, told: str) -> None:
        super().__init__(fault, told)
        self.fault, self.told = fault, told

    def __str__(self) -> str:
        return self.told


_PATTERNS = (
    (Fault.OFFLINE, r"OfflineModeIsEnabled|HF_HUB_OFFLINE|offline mode"),
    (
        Fault.EXPIRED,
        r"ExpiredToken|TokenRefreshRequired|RequestExpired|EXPIRED|security token .* expired|invalid_grant",
    ),
    (Fault.NO_BUCKET, r"NO_SUCH_BUCKET|NoSuchBucket|bucket does not exist|ContainerNotFound|container does not exist"),
    (
        Fault.DENIED,
        r"ACCESS_DENIED|AccessDenied|INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|SIGNATURE_DOES_NOT_MATCH|"
        r"SignatureDoesNotMatch|InvalidClientTokenId|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION_TOKEN|AuthFailure|"
        r"InvalidToken|INVALID_TOKEN|AuthenticationFailed|AuthorizationFailure|PermissionDenied|permission denied|"
        r"\b40[13]\b|Unauthorized|Forbidden|could not create.*credentials|NO_CREDENTIALS|"
        r"GatedRepo|Invalid username or password",
    ),
    (
        Fault.NOTHING_THERE,
        r"NO_SUCH_KEY|NoSuchKey|Path does not exist|No such file|NOT_FOUND|404|RepositoryNotFound|EntryNotFound",
    ),
    (
        Fault.NETWORK,
        r"NETWORK_CONNECTION|curlCode|SLOW_DOWN|SlowDown|THROTTLING|REQUEST_TIMEOUT|REQUEST_TIME_TOO_SKEWED|"
        r"SERVICE_UNAVAILABLE|INTERNAL_FAILURE|HTTP status 5\d\d|\b50[0234]\b|\b429\b|Timeout|timed out|ConnectError|"
        r"Connection (?:refused|reset|aborted)|Couldn't connect|UNAVAILABLE|Deadline exceeded|Retry policy exhausted|"
        r"disconnected|RemoteProtocolError|ReadError|"
        r"RemoteDisconnected|IncompleteRead|LocalEntryNotFound|Fail to get a new connection|"
        r"Temporary failure in name resolution|Name or service not known|Couldn't resolve",
    ),
)
_LIBRARIES = frozenset({"pyarrow", "huggingface_hub", "httpx", "httpcore", "httpx2", "httpcore2", "http", "fsspec"})
_REQUEST_ID = re.compile(r" ?\(Request ID: [^)]*\)")
_GOOGLE = re.compile(r"CURL error \[\d+\]=(?P<told>[^=]*?)(?: error_info=|$)")
_AZURE = re.compile(r"Fail to get a new connection for: (?P<told>.*)")
_CURL = re.compile(r"curlCode: \d+, (?P<told>[^;]*)(?:; Details: (?P<details>.*))?", re.DOTALL)
_AWS = re.compile(r"AWS Error (?P<name>\w+) (?:\(.*?\) )?during \w+ operation: (?P<told>.*)", re.DOTALL)


def sorted_fault(error: Exception) -> StoreError | None:
    """A library's error, by what can be done about it; None if no store is to blame."""
    if isinstance(error, StoreError):
        return error
    if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
        return None
    text = " ".join(f"{type(error).__name__}: {error}".split())
    fault = next((fault for fault, pattern in _PATTERNS if re.search(pattern, text)), None)
    if isinstance(error, FileNotFoundError) and fault is not Fault.NO_BUCKET:
        return StoreError(Fault.NOTHING_THERE, "there is nothing there")
    if fault is None and isinstance(error, ConnectionError | TimeoutError):
        fault = Fault.NETWORK
    return StoreError(fault or Fault.OTHER, _few_words(error))


def told(address: Address, error: StoreError) -> GraftError:
    """The error for a user: what is wrong with an address, and what to do."""
    here, why = str(address), error.told
    setting = _SETTING.get(address.scheme, "")
    match error.fault:
        case Fault.NO_BUCKET:
            what = "container" if address.scheme == "abfs" else "bucket"
            named = address.place.partition("@")[0]
            return DataError(f"data.path is {here}, but there is no {what} {named}; check its name{_endpoint(address)}")
        case Fault.NOTHING_THERE:
            hidden = ", and HF_TOKEN if it is not public" if address.scheme == "hf" else ""
            return DataError(f"data.path is {here}, but there is nothing there; check the path{hidden}")
        case Fault.DENIED:
            return ResourceError(f"{address.root} refuses these credentials ({why}); check {setting}")
        case Fault.EXPIRED:
            return ResourceError(f"the credentials for {address.root} have expired ({why}); renew them, and run again")
        case Fault.OFFLINE:
            return ResourceError(
                f"{here} cannot be read, because HF_HUB_OFFLINE is set; unset it, or name a copy on this machine"
            )
        case Fault.NETWORK:
            return ResourceError(
                f"{address.root} cannot be reached ({why}); check the network{_endpoint(address)}, and run again"
            )
        case _:
            return ResourceError(f"{here} cannot be read ({why}); check the store, and run again")


_SETTING = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may read",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, and what it may read",
    "abfs": "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, and what they may read",
    "hf": "HF_TOKEN, and that its account may read this",
    "http": "that everybody may read it: graft sends no login",
    "https": "that everybody may read it: graft sends no login",
}


def _endpoint(address: Address) -> str:
    return " and AWS_ENDPOINT_URL" if address.scheme == "s3" else ""


def _few_words(error: BaseException) -> str:
    text = _REQUEST_ID.sub("", " ".join(str(error).split()))
    aws = _AWS.search(text)
    if aws:
        text = aws["told"] if aws["told"].rstrip(". ") not in ("", "No response body") else aws["name"]
    curl = _CURL.search(text)
    if curl:
        text = curl["details"] or curl["told"]
    inner = _GOOGLE.search(text) or _AZURE.search(text)
    if inner:
        text = inner["told"]
    return redact(text.strip().rstrip("."))[:200] or type(error).__name__
