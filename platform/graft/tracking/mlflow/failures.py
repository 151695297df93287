"""Why a tracking store, or the artifact store behind it, did not do what it was asked, and what to do about it."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from graft.core.credentials import redact
from graft.tracking.environment import settle_environment
from graft.tracking.target import Target

settle_environment()

from mlflow.exceptions import MlflowException  # noqa: E402  (its import reads the environment)

_REFUSALS = frozenset({"BAD_REQUEST", "INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"})
# MLflow lets through what the libraries below it raise; they share no base class.
_TRANSPORTS = frozenset({"requests", "urllib3"})
_ARTIFACT_STORES = frozenset({"boto3", "botocore", "s3transfer"})
_PACKAGES: Mapping[str, str] = {"botocore": "boto3", "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}
_MAX_REASON = 300
_READ_ONLY = re.compile(r"read[- ]?only|failed with error code 405 ", re.IGNORECASE)


def is_refusal(error: Exception) -> bool:
    """Whether the store understood and said no, so that asking again is of no use."""
    return isinstance(error, MlflowException) and error.error_code in _REFUSALS


def is_locked_out(error: Exception) -> bool:
    """Whether the store answers, but not us: the login is wrong, or does not permit it."""
    return _http_status(error) in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def is_read_only(error: Exception) -> bool:
    """Whether the store can be read and not written: a replica, a proxy that lets no changes through."""
    return isinstance(error, MlflowException) and bool(_READ_ONLY.search(str(error)))


def is_final(error: Exception) -> bool:
    """Whether it will be the same an hour later, unless somebody does something about it."""
    return is_refusal(error) or is_locked_out(error) or is_read_only(error) or isinstance(error, ImportError)


def is_busy(error: Exception) -> bool:
    """Whether others have locked the database for longer than its own patience."""
    return "database is locked" in str(error) or "database table is locked" in str(error)


def is_of_store(error: Exception) -> bool:
    """Whether the store, the way to it or a client library that it needs is at fault, and not graft."""
    return isinstance(error, MlflowException | ImportError) or _library(error) in _TRANSPORTS | _ARTIFACT_STORES


def explain(error: Exception, target: Target) -> str:
    """What happened and what to do, in one line without passwords."""
    return f"tracking store {redact(target.uri)} {_trouble(error, target.named_by)}"


def first_line(error: Exception) -> str:
    """What an error says, short and without passwords."""
    return redact(str(error).strip().partition("\n")[0])[:_MAX_REASON]


def _trouble(error: Exception, address: str) -> str:
    if isinstance(error, ImportError):
        return f"needs {_missing(error)}"
    status, reason = _http_status(error), first_line(error)
    if status == HTTPStatus.UNAUTHORIZED:
        return "refused the login (401); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    if status == HTTPStatus.FORBIDDEN:
        return f"does not permit it ({reason}); ask its administrator, or choose another tracking.experiment"
    if is_read_only(error):
        return f"cannot be written ({reason}); ask its administrator, or choose another {address}"

    if is_busy(error):
        return "is locked by another program that writes to it; end that, or try again later"
    if _library(error) in _ARTIFACT_STORES:
        return f"keeps its files in S3, which failed ({reason}); check AWS_* and MLFLOW_S3_ENDPOINT_URL"
    if _library(error.__cause__ or error.__context__ or error) in _TRANSPORTS:
        return f"does not answer; start it, or correct {address}"
    if is_refusal(error):
        return f"refused: {reason}"
    return f"failed ({reason}); start it, or correct {address}"


def _missing(error: ImportError) -> str:
    module = (error.name or "").partition(".")[0]
    if not module:
        return f"a Python package that cannot be imported ({first_line(error)}); install it"
    package = _PACKAGES.get(module, module)
    return f"the Python package {package}, which is not installed here; run `pip install '{package}'`"


def _http_status(error: Exception) -> int | None:
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    response: Any = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _library(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]
