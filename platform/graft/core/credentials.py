"""Passwords, tokens and keys: which names mean one, which addresses hold one, and texts without them."""

import logging
import re
from urllib.parse import unquote_plus

HIDDEN = "***"

# `max_tokens` and `tokenizer` are no secrets.
_SECRET = re.compile(
    r"token(?!s|iz)|secret|passw|passphrase|passcode|pwd|credential|authorization|signature|bearer|jwt"
    r"|(?:api|access|account|private|session|shared|auth|client|subscription|encryption|storage)[-_. ]?key"
    r"|connection[-_. ]?string"
    r"|(?<![a-z])dsn(?![a-z])",
    re.IGNORECASE,
)
# Too common to be taken for secrets anywhere but in the query of an address.
_SECRET_IN_QUERY = frozenset({"key", "sig", "pass", "auth", "pw", "code", "sas"})

# SQLAlchemy takes all up to the last `@` for the login; a password in it may hold slashes.
_DATABASE_LOGIN = re.compile(
    r"(?<![A-Za-z0-9])((?:postgres(?:ql)?|mysql|mariadb|mssql|oracle)(?:\+\w+)?://)[^\s'\"<>]{0,500}@"
)
# A password with a slash in it is still one, but behind `host:5000/` an `@` is part of the path. In Azure's
# `abfs://container@account.dfs.core.windows.net/` what stands before the `@` is a name, unless it has a colon.
_LOGIN = re.compile(
    r"(?<=://)(?:(?:(?<!abfs://)(?<!abfss://)|(?=[^/?#\s'\"<>\\]{0,200}:))[^/?#\s'\"<>\\]{0,4000}@|[^/?#:\s'\"<>\\@]{1,200}:(?!\d*[/?#\s'\"])[^\s?#'\"<>\\]{0,500}@)"
)
_LOGIN_WITHOUT_PASSWORD = re.compile(r"[A-Za-z0-9._%+-]{0,24}@")
_TOKEN = re.compile(r"(?:gh[opsu]|github_pat|glpat|hf|xox[abp]|sk|pypi)[-_]", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;?#\s'\"<>\\]{1,100})=([^&;#\s'\"<>\\]+)")
_LOOSE = re.compile(
    r"\b((?:\w{1,40}[-_])?(?:password|passwd|pwd|secret|secret_access_key))=([^&;\s'\"<>\\]+)", re.IGNORECASE
)
_QUERY = re.compile(r"[?#].*", re.DOTALL)


def is_secret(name: str) -> bool:
    """Whether what stands under this name is nobody else's business."""
    return _SECRET.search(name) is not None


def redact(text: str) -> str:
    """A text without the logins of its addresses, and without the passwords, tokens and keys in their queries."""
    if "=" in text:
        text = _PARAMETER.sub(_hidden, text)
        text = _LOOSE.sub(rf"\1={HIDDEN}", text)
    if "://" in text:
        text = _DATABASE_LOGIN.sub(rf"\1{HIDDEN}@", text)
        text = _LOGIN.sub(f"{HIDDEN}@", text)
    return text


class RedactingFormatter(logging.Formatter):
    """Log lines and tracebacks as `redact` leaves them: libraries tell addresses with their logins."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def without_login(uri: str) -> str:
    """An address as it may be shown and opened: the reader has a login of their own."""
    if any(_is_secret_parameter(name) for name, _ in _PARAMETER.findall(uri)):
        uri = _QUERY.sub("", uri)
    return _LOGIN.sub("", _DATABASE_LOGIN.sub(r"\1", uri))


def credential_in(uri: str) -> str | None:
    """What a text holds that a file must not, if it is an address: a password, a token; None if nothing."""
    if "://" not in uri:
        return None
    login = _DATABASE_LOGIN.search(uri) or _LOGIN.search(uri)
    if login is not None:
        given = login[0].rpartition("://")[2]
        if not _LOGIN_WITHOUT_PASSWORD.fullmatch(given.replace(":@", "@")):
            return "a password" if ":" in given else "a token"
        if _TOKEN.match(given):
            return "a token"
    secret = next((unquote_plus(name) for name, _ in _PARAMETER.findall(uri) if _is_secret_parameter(name)), None)
    return None if secret is None else f"`{secret}`"


def _is_secret_parameter(name: str) -> bool:
    plain = unquote_plus(name)
    return plain.lower() in _SECRET_IN_QUERY or is_secret(plain)


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}={HIDDEN}" if _is_secret_parameter(found[1]) else found[0]
