"""`graft cache`: the features of frozen networks that are kept to be used again."""

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.help import show_overview
from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import ResourceError, SpecError
from graft.core.storage import Home
from graft.spec.messages.counting import counted

if TYPE_CHECKING:
    from graft.data.feature_store.catalog import Catalog, Entry

app = typer.Typer(
    help="Features of frozen networks, kept to be used again. GRAFT_CACHE_GB bounds them.", invoke_without_command=True
)

_SHOWN = 12
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")

PrefixOption = Annotated[
    str | None,
    typer.Argument(metavar="[DIGEST]", help="The digest, or how it begins, as `ls` shows it.", show_default=False),
]


@app.callback()
def _cache(context: typer.Context) -> None:
    """Features of frozen networks, kept to be used again. GRAFT_CACHE_GB bounds them."""
    show_overview(context)


@app.command("ls")
def ls(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the stored features, most recently used first.

    Example: graft cache ls
    """
    catalog = _catalog(home)
    entries, limit = catalog.entries(), catalog.limit()
    held = sum(entry.holding.bytes for entry in entries)
    if as_json:
        rows = [_row(entry) for entry in entries]
        tell_json({"directory": str(catalog.root), "bytes": held, "limit_bytes": limit, "entries": rows})
        return
    for entry in entries:
        tell(_line(entry))
    tell(f"{counted(len(entries), 'set')} of features in {catalog.root}: {_gb(held)} of at most {_gb(limit)}")


@app.command("rm")
def rm(
    digest: PrefixOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete all that is not in use.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="Delete what was not used for so long: 30m, 12h, 7d or 2w."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete stored features; what a running process uses stays. They are computed again when they are needed.

    Example: graft cache rm --older-than 7d
    """
    if sum((digest is not None, everything, older_than is not None)) != 1:
        raise SpecError("name what to delete: one of DIGEST, --all and --older-than AGE")
    catalog = _catalog(home)
    entries = [_one(catalog, digest)] if digest is not None else catalog.entries()
    if older_than is not None:
        border = time.time() - _age(older_than)
        entries = [entry for entry in entries if entry.holding.last_used < border]
    kept = [entry for entry in entries if not catalog.remove(entry.holding.digest)]
    catalog.sweep()
    if digest is not None and kept:
        raise ResourceError(f"{kept[0].holding.digest[:_SHOWN]} is in use by a running process; end that first")
    gone = [entry for entry in entries if entry not in kept]
    freed = sum(entry.holding.bytes for entry in gone)
    if as_json:
        tell_json({"removed": _digests(gone), "in_use": _digests(kept), "bytes": freed})
        return
    stayed = f"; {len(kept)} in use stayed" if kept else ""
    tell(f"deleted {counted(len(gone), 'set')} of features, {_gb(freed)}{stayed}")


@app.command("verify")
def verify(digest: PrefixOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Read all stored features and compare them with their digests; exit code 1 if any are damaged.

    Damaged files are never trained on: what was in them is computed again when it is next needed.

    Example: graft cache verify
    """
    catalog = _catalog(home)
    entries = catalog.entries() if digest is None else [_one(catalog, digest)]
    found = {entry.holding.digest: catalog.problems(entry) for entry in entries}
    damaged = [
        {"digest": name, "file": file, "problem": text}
        for name, problems in found.items()
        for file, text in problems.items()
    ]
    if as_json:
        tell_json({"checked": len(found), "damaged": damaged})
    else:
        for one in damaged:
            tell(f"{one['digest'][:_SHOWN]}  {one['file']} {one['problem']}")
        tell(f"{counted(len(found), 'set')} of features checked, {sum(map(bool, found.values()))} damaged")
    if damaged:
        raise typer.Exit(1)


def _catalog(home: Any) -> "Catalog":
    from graft.data.feature_store.catalog import Catalog

    return Catalog(Home.find(home).features)


def _one(catalog: "Catalog", prefix: str) -> "Entry":
    if not prefix:  # of a variable that is not set, in a shell
        raise SpecError("the digest is empty, but must be one, or how it begins; see `graft cache ls`")
    found = [entry for entry in catalog.entries() if entry.holding.digest.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise SpecError(f"`{prefix}` begins no digest in {catalog.root}; see `graft cache ls`")
    names = ", ".join(entry.holding.digest[:_SHOWN] for entry in found)
    raise SpecError(f"`{prefix}` begins {len(found)} digests ({names}); give more of it")


def _age(text: str) -> float:
    found = _AGE.fullmatch(text)
    if found is None:
        raise SpecError(f"--older-than is `{text}`, but must be a number with m, h, d or w, such as 7d")
    return float(found[1]) * _SECONDS[found[2]]


def _row(entry: "Entry") -> dict[str, Any]:
    holding, manifest = entry.holding, entry.manifest
    key = manifest.key.to_json() if manifest else {}
    return {
        "digest": holding.digest,
        **{name: key.get(name) for name in ("backbone", "cut", "view", "split", "dtype")},
        "rows": manifest.rows if manifest else None,
        "shape": list(manifest.shape) if manifest else None,
        "bytes": holding.bytes,
        "last_used": holding.last_used,
        "in_use": holding.in_use,
        "problem": entry.problem,
    }


def _line(entry: "Entry") -> str:
    holding, manifest = entry.holding, entry.manifest
    used = datetime.fromtimestamp(holding.last_used).strftime("%Y-%m-%d %H:%M")
    end = f"{_gb(holding.bytes)}  {used}{'  in use' if holding.in_use else ''}"
    if manifest is None:
        return f"{holding.digest[:_SHOWN]}  damaged  {end}"
    key = manifest.key
    view = "plain" if key.view is None else f"view {key.view.index}"
    shape = "x".join(map(str, manifest.shape)) or "1"
    what = f"{key.backbone}  cut {key.cut}  {view}  {key.split}  {manifest.rows} rows {shape} {key.dtype}"
    return f"{holding.digest[:_SHOWN]}  {what}  {end}"


def _gb(size: int) -> str:
    return f"{size / 10**9:.3f} GB"


def _digests(entries: list["Entry"]) -> list[str]:
    return [entry.holding.digest for entry in entries]
