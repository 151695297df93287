"""The descriptions of Debian's packages: one long English text each, with section, tags, size and source package.

An image of Debian has no `Translation-en`, so its own lists know one-line synopses only. The lists are fetched again,
with descriptions, into a directory of the caller's; the machine's own under /var/lib/apt stay as they are.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

_HELPER = "/usr/lib/apt/apt-helper"
_SUPPLEMENT = re.compile(r"-(updates|security)_")
_BLANK_LINE = re.compile(r"^ ?\.$", re.MULTILINE)


class Package(TypedDict):
    """What is kept of a binary package."""

    name: str
    source: str
    section: str
    tags: list[str]
    kilobytes: int
    text: str


def fetch_packages(cache: Path) -> list[Package]:
    """All packages of the main archive that have a description; read from the cache if they were fetched before."""
    kept = cache / "packages.jsonl"
    if not kept.exists():
        lists = cache / "lists"
        _update(lists)
        found = _packages(lists)
        part = kept.with_suffix(".part")
        part.write_text("".join(f"{json.dumps(one)}\n" for one in found))
        part.replace(kept)
    return [json.loads(line) for line in kept.read_text().splitlines()]


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of a control file (Debian policy 5.1): fields by name, continuation lines joined by newlines."""
    for paragraph in text.split("\n\n"):
        fields: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in paragraph.splitlines():
            if line.startswith((" ", "\t")):
                lines.append(line[1:])
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name] = lines = [value.strip()]
        if fields:
            yield {name: "\n".join(found) for name, found in fields.items()}


def plain(description: str) -> str:
    """A description as running text: lines that stand for an empty one are left out, white space becomes one blank."""
    return " ".join(_BLANK_LINE.sub("", description).split())


def _update(lists: Path) -> None:
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::State::lists": lists,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Acquire::Languages": "en",
    }
    given = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", "update", "-qq", *given], check=True)


def _packages(lists: Path) -> Iterator[Package]:
    long = {
        one["Description-md5"]: one["Description-en"]
        for one in stanzas(_content(lists, "i18n_Translation-en"))
        if "Description-md5" in one and "Description-en" in one
    }
    for one in stanzas(_content(lists, "binary-")):
        description = long.get(one.get("Description-md5", ""))
        if description is None:
            continue
        yield Package(
            name=one["Package"],
            source=one.get("Source", one["Package"]).partition(" ")[0],
            section=one.get("Section", ""),
            tags=[tag for tag in (part.strip() for part in one.get("Tag", "").split(",")) if "::" in tag],
            kilobytes=int(one.get("Installed-Size", 0)),
            text=plain(description),
        )


def _content(lists: Path, part: str) -> str:
    """A list of the main archive (updates and security have their own, which are left out), whatever packs it."""
    found = [
        path for path in sorted(lists.glob(f"*_main_{part}*")) if not re.search(r"-(updates|security)_", path.name)
    ]
    if not found:
        raise FileNotFoundError(f"{lists} has no list *_main_{part}*; can apt-get update reach its archive?")
    done = subprocess.run([_HELPER, "cat-file", str(found[0])], check=True, capture_output=True)
    return done.stdout.decode("utf-8", "replace")
