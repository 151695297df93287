"""What a path holds that graft cannot learn from, and what to do about it."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from graft.data.folders.paths import printable
from graft.data.folders.system_names import is_system_file, is_system_folder
from graft.data.folders.walk import suffix_reason
from graft.data.overview import Tally, summed_up

UNPACKERS = {
    ".zip": "unzip", ".7z": "7z x", ".rar": "unrar x", ".tgz": "tar -xzf", ".tar.gz": "tar -xzf",
    ".tar.bz2": "tar -xjf", ".tar.xz": "tar -xJf", ".gz": "gzip -d", ".bz2": "bzip2 -d", ".xz": "xz -d",
    ".zst": "zstd -d",
}  # fmt: skip
"""What unpacks an archive, by the end of its name; a tar by itself may hold shards."""

_MOST_FILES = 10_000
_MOST_REASONS = 3
_UNPACK = "unpack it, and name the directory"
_SHEET = "save its sheet as CSV, with the names of the columns in the first line, and name that"
_LABELS = "if it says what pictures are, write a table of files and labels"
_ADVICE = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"), _SHEET),
    **dict.fromkeys((*UNPACKERS, ".tar"), _UNPACK),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"), "name the folder it lies in"),
    **dict.fromkeys((".heic", ".heif", ".avif", ".jxl", ".jp2"), "convert such pictures to JPEG"),
    **dict.fromkeys((".pkl", ".pickle"), "save it as Parquet (such files run code, and are never read)"),
    **dict.fromkeys((".h5", ".hdf5", ".mat", ".pt", ".pth", ".tfrecord"), "save its arrays as .npz, or as pictures"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "export its table as CSV or Parquet"),
    **dict.fromkeys((".md", ".html", ".htm", ".rtf", ".eml"), "save such texts as .txt, or in a table"),
    **dict.fromkeys((".pdf", ".doc", ".docx", ".odt"), "save the texts as .txt, or the pages as pictures"),
    **dict.fromkeys((".wav", ".mp3", ".flac", ".ogg", ".m4a"), "graft learns from pictures and texts, not from sound"),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm"), "graft learns from pictures: save frames of such films"),
    **dict.fromkeys((".dcm", ".nii"), "save such scans as PNG"),
    **dict.fromkeys((".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".arrow"), "name one of these tables itself"),
    ".npy": "put arrays of pictures and of labels into one .npz, or beside each other in a folder",
    ".json": "write one object in each line (.jsonl); COCO's annotations need data: {kind: coco, path: …}",
    ".xml": _LABELS,
    ".txt": "of texts, put one in each file, in a folder for each class; of a table, name it .csv or .tsv",
    "": "give pictures and texts their suffix (.jpg, .txt)",
}


def advice_for(path: Path) -> str:
    """What to do with a file that graft cannot learn from; empty where its name tells nothing."""
    return _ADVICE.get(path.suffix.lower(), "") if path.suffix else ""


def told_instead(directory: Path) -> str:
    """What files a directory holds, and what to do about the commonest of them; empty if there are none."""
    tally, counts = Tally(), dict[str, int]()
    for name in islice(_files(directory), _MOST_FILES):
        suffix = os.path.splitext(name)[1].lower()
        counts[suffix] = counts.get(suffix, 0) + 1
        tally.add(suffix_reason(name), printable(name))
    if not counts:
        return ""
    advice = _ADVICE.get(max(counts, key=lambda suffix: counts[suffix]), "name another")
    return f"its files have {summed_up(tally.result()[:_MOST_REASONS])}; {advice}"


def _files(directory: Path) -> Iterator[str]:
    """Names of files below, without what systems leave behind; what cannot be entered is passed."""
    for _, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not is_system_folder(name))
        yield from (name for name in sorted(names) if not name.startswith(".") and not is_system_file(name))
