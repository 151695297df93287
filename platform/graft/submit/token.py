"""The token of a cluster, as this machine has it: found where Ray looks for it, and fit to be sent."""

import os
from pathlib import Path

from graft.core.errors import SpecError

_MODES = ("token", "disabled")
_DEFAULT = "~/.ray/auth_token"


def is_token_sent() -> bool:
    """Whether Ray's client sends a token: one is there, and ``RAY_AUTH_MODE`` does not keep it back.

    A token that no header can hold is refused before Ray, and what it is built on, tell of it with its letters.

    Raises:
        SpecError: what is there is no token, or no mode; neither is shown.
    """
    mode = os.environ.get("RAY_AUTH_MODE") or "token"
    if mode.lower() not in _MODES:
        raise SpecError(f"RAY_AUTH_MODE is `{mode}`, but must be {' or '.join(_MODES)}; correct it")
    found = _found() if mode.lower() == "token" else None
    if found is None:
        return False
    place, token = found
    if not token:
        raise SpecError(f"{place} is empty, but must hold the cluster's token; write it there")
    if not token.isascii() or not token.isprintable() or " " in token:
        told = f"{place} holds no token, but something with a line break, a space, or a letter beyond ASCII"
        raise SpecError(f"{told}; write the cluster's there, and nothing else")
    return True


def why_refused() -> str:
    """What is the matter with a token that a cluster has refused."""
    if is_token_sent():
        return "the one that is set is another"
    if _found() is not None:
        return "RAY_AUTH_MODE=disabled keeps the one that is set here back"
    return "none is set here"


def _found() -> tuple[str, str] | None:
    """Where the token is, and the token; in Ray's order (2.60)."""
    if given := os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN", given.strip()
    if named := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return f"RAY_AUTH_TOKEN_PATH ({named})", _read("RAY_AUTH_TOKEN_PATH", Path(named))
    usual = Path(os.path.expanduser("~")) / _DEFAULT  # where there is none, no such file
    return (str(usual), _read("the token", usual)) if usual.exists() else None


def _read(what: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise SpecError(
            f"{what} is {file}, which cannot be read ({error.strerror}); name the file of the cluster's token"
        ) from error
