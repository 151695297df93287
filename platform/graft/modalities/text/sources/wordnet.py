"""WordNet's definitions, each with the kind of thing that it defines (Fellbaum, 1998; wordnet.princeton.edu).

A database file has a line for each meaning: its offset, the number of its lexicographer file (03 is noun.Tops, 05 is
noun.animal, …), words and relations, and behind ``|`` the definition with examples in quotes.
"""

import re
from pathlib import Path

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data.folders.paths import require_directory
from graft.data.listing import Listing, Progress
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.spec.modalities.text import WordnetData

# wordnet.princeton.edu/documentation/lexnames5wn; file 03 holds the roots of everything, which is no kind of thing.
KINDS = {
    "noun": {
        4: "act", 5: "animal", 6: "artifact", 7: "attribute", 8: "body", 9: "cognition", 10: "communication",
        11: "event", 12: "feeling", 13: "food", 14: "group", 15: "location", 16: "motive", 17: "object", 18: "person",
        19: "phenomenon", 20: "plant", 21: "possession", 22: "process", 23: "quantity", 24: "relation", 25: "shape",
        26: "state", 27: "substance", 28: "time",
    },
    "verb": {
        29: "body", 30: "change", 31: "cognition", 32: "communication", 33: "competition", 34: "consumption",
        35: "contact", 36: "creation", 37: "emotion", 38: "motion", 39: "perception", 40: "possession", 41: "social",
        42: "stative", 43: "weather",
    },
}  # fmt: skip
_LINE = re.compile(r"(\d{8}) (\d{2}) ([nv]) .*? \| (.*)")
_EXAMPLE = re.compile(r';?\s*"[^"]*"')


def list_wordnet(spec: WordnetData, progress: Progress | None = None) -> Listing:
    """List the definitions of one part of speech; examples are left out, so that only the definition tells.

    Raises:
        DataError: the file is not there, or holds no definitions.
    """
    path = require_directory(spec.path) / f"data.{spec.part}"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist, but must be WordNet's database; on Debian: apt-get install wordnet-base"
        )
    found = _definitions(path, KINDS[spec.part])
    if not found:
        raise DataError(f"{path} holds no definitions, but must be WordNet's database; install it again")
    if progress is not None:
        progress(len(found))
    names = sorted({kind for _, kind, _ in found})
    codes = {name: code for code, name in enumerate(names)}
    status = path.stat()
    return Listing(
        source=f"WordNet's definitions in {path}",
        ids=tuple(f"{spec.part}/{offset}" for offset, _, _ in found),
        targets=RawTargets(np.array([codes[kind] for _, kind, _ in found], dtype=np.int64), tuple(names)),
        given=np.full(len(found), UNASSIGNED, dtype=np.uint8),
        identity=text_digest(canonical_json([str(path), status.st_size, status.st_mtime_ns])),
        sources=[text.encode() for _, _, text in found],
        facts={"max_characters": spec.max_characters, "encoding": "utf-8"},
    )


def _definitions(path: Path, kinds: dict[int, str]) -> list[tuple[str, str, str]]:
    """Offset, kind and definition; each text once, for some meanings share one."""
    found: dict[str, tuple[str, str, str]] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = _LINE.match(line.rstrip())
            kind = kinds.get(int(match[2])) if match else None
            text = _EXAMPLE.sub("", match[4]).strip(" ;") if match else ""
            if match and kind and text:
                found.setdefault(text, (match[1], kind, text))
    return list(found.values())
