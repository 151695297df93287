"""What the files of a cluster say of a home: whether one can be there, and whether it outlives a node."""

from graft.clusters.violation import Violation
from graft.core.errors import SpecError
from graft.core.stores.address import HomeAddress
from graft.core.uris import scheme_of

_FOLDER = "folder://"


def home_violation(key: str, home: str) -> Violation | None:
    """Why no home can be there; None if one can, or where a shell fills something in.

    Args:
        key: where the address stands.
        home: as ``GRAFT_HOME`` has it: an address, or a path.
    """
    if "$" in home:
        return None
    if not scheme_of(home):
        told = f"is {home}, but must be a path from the root that all nodes share, or the address of a store"
        return None if home.startswith("/") else Violation(key, told, "write it so")
    try:
        HomeAddress.of(home)
    except SpecError as error:
        rule, _, fix = str(error).removeprefix("home ").rpartition("; ")
        return Violation(key, rule or fix, fix if rule else "name one of these")
    return None


def path_on_nodes(home: str) -> str:
    """The path of a home that must be on shared storage, or what it keeps goes with its node; empty for a store."""
    return "" if scheme_of(home) and not home.startswith(_FOLDER) else home.removeprefix(_FOLDER)
