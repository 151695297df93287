"""Data with planted faults, made from clean data: which file has which fault is known. Nothing of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Planted:
    """A corpus.

    Attributes:
        path: the folder or table.
        faults: names of samples, as a listing has them, by what was done to them.
    """

    path: Path
    faults: Mapping[str, frozenset[str]]


FOUND_AS = {
    "truncated": "unreadable",
    "bomb": "bomb",
    "copy": "duplicate",
    "near_jpeg": "near_duplicate",
    "near_resize": "near_duplicate",
    "near_brightness": "near_duplicate",
    "near_crop": "near_duplicate",
    "near_words": "near_duplicate",
    "leak": "split_leak",
    "flip": "suspicious_label",
    "flip_pair": "suspicious_label",
    "patch": "poisoning_suspect",
    "trigger": "poisoning_suspect",
    "homoglyph": "homoglyph",
    "full_width": "homoglyph",
    "zero_width": "invisible_characters",
    "mojibake": "encoding",
    "empty": "empty_text",
    "personal": "personal_data",
    "markup": "markup",
}
"""Fault -> the kind of finding that it should be."""

COPIES = frozenset(fault for fault in FOUND_AS if fault in ("copy", "leak") or fault.startswith("near"))
"""Faults by which a sample is like another one: none of them is a mistake where another of them is looked for."""
