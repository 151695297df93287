"""Lists of addresses: a text file with one in each line, whose paths are read like those of folders."""

from posixpath import commonpath
from urllib.parse import urljoin

from graft.core.errors import DataError
from graft.data.remote.address import Address
from graft.data.remote.faults import StoreError, told
from graft.data.remote.listing import contact
from graft.data.remote.patience import READING, asked
from graft.data.remote.store import open_store
from graft.data.remote.web_store import file_name, quoted

MOST_BYTES = 256 * 1024**2
"""A list of two million addresses has no more."""
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


def read_list(address: Address) -> tuple[str, dict[str, str]]:
    """The addresses in a list on the web.

    Args:
        address: of the list; relative ones in it start there.

    Returns:
        The address that all have in common, and each one's address by its path below that.

    Raises:
        DataError: there is nothing at the address, or no list.
        ResourceError: the server cannot be reached.
    """
    name = file_name(address.key)
    if name.lower().endswith(_TABLES):
        raise DataError(
            f"data.path is {address}, but must be a list of addresses (.txt); a table is data: {{kind: table, …}}"
        )
    contact(address)
    store = open_store(address)
    try:
        content = asked(lambda: store.read(address.key, MOST_BYTES, lambda count: None), READING)
    except StoreError as error:
        raise told(address, error) from error
    if len(content) > MOST_BYTES:
        raise DataError(f"{address} has more than {MOST_BYTES >> 20} MiB, but a list may have no more; divide it")
    return _below(address, _addresses(address, content))


def _addresses(address: Address, content: bytes) -> list[str]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise DataError(f"{address} is no UTF-8 text, but must hold an address in each line; check the file") from None
    if text.lstrip()[:1] == "<":
        raise DataError(f"{address} is a web page, but must hold an address in each line; name a text file")
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    found = [urljoin(str(address), quoted(line)) for line in lines if line and line[0] != "#"]
    strange = next((one for one in found if not one.startswith(("http://", "https://"))), None)
    if strange is not None:
        raise DataError(f"{address} names {strange[:200]}, but must hold addresses of the web; correct it")
    if not found:
        raise DataError(f"{address} is empty, but must hold an address in each line; check the file")
    return found


def _below(address: Address, found: list[str]) -> tuple[str, dict[str, str]]:
    hosts = {Address.of(one).root for one in found}
    if len(hosts) > 1:
        raise DataError(
            f"{address} names files of {len(hosts)} servers, but their folders must lie on one; name them in a table: "
            "data: {kind: table, …}"
        )
    paths = {file_name(Address.of(one).key): one for one in found}
    common = commonpath([path.rpartition("/")[0] for path in paths]) if len(paths) > 1 else ""
    root = f"{hosts.pop()}/{common}".rstrip("/")
    return root, {path[len(common) :].strip("/"): one for path, one in paths.items()}
