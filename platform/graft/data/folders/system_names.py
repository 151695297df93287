"""What operating systems, storage boxes and tools leave beside a user's files, by its name."""

import re
from collections.abc import Iterable

# Each in lower case; what begins with a dot is hidden anyway, and here where it has a better name than that. No name
# that could be a label: there are pictures of what is recycled, and of shops called CVS.
_FOLDERS = frozenset(
    {
        # Windows
        "$recycle.bin", "system volume information", "config.msi", "_vti_cnf",
        # macOS
        "__macosx", ".appledouble", ".trashes", ".trash", ".spotlight-v100", ".fseventsd", ".temporaryitems",
        ".documentrevisions-v100", "network trash folder", "temporary items", "thevolumesettingsfolder",
        # Linux
        "lost+found", ".thumbnails",
        # Synology, QNAP, NetApp, Western Digital, TerraMaster
        "@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", ".@__thumb",
        ".@__qini", ".@upload_cache", "~snapshot", ".snapshot", ".zfs", ".wdmc", ".streams", ".syncing_db",
        # Version control, also of data
        ".git", ".svn", "_svn", ".hg", ".bzr", "_darcs", ".dvc",
        # Tools
        ".ipynb_checkpoints", "__pycache__", ".idea", ".vscode", ".cache", ".dropbox.cache", ".picasaoriginals",
    }
)  # fmt: skip
_FILES = frozenset(
    {
        "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "autorun.inf", "icon\r", ".ds_store",
        ".localized", ".directory", "picasa.ini", ".picasa.ini", "zbthumbnail.info", ".nomedia", ".gitkeep",
        ".gitignore", ".gitattributes", ".bridgecache", ".bridgecachet", ".dropbox",
    }
)  # fmt: skip
_FOLDER = re.compile(r"@syno.*|found\.\d{3}|\.trash-\d+|.*\.lrdata")
# `._photo.jpg` holds what macOS keeps of photo.jpg where the file system has no room for it; `photo.jpg@SynoEAStream`.
_FILE = re.compile(r"\._.*|.*@syno(eastream|resource)|\.nfs[0-9a-f]{8,}|~\$.*|thumbs\.db:.*")
_BEGINS = (".", "~$", "thumbs.db:")
"""How names begin that `_FILE` may be of, but for those with an @: it takes ten times as long to say no."""


def is_system_folder(name: str) -> bool:
    """Whether a system has made a folder for itself."""
    folded = name.casefold()
    return folded in _FOLDERS or bool(_FOLDER.fullmatch(folded))


def is_system_file(name: str) -> bool:
    """Whether a system has made a file for itself."""
    folded = name.casefold()
    may_be = folded.startswith(_BEGINS) or "@" in folded
    return folded in _FILES or (may_be and bool(_FILE.fullmatch(folded)))


def any_hidden(names: Iterable[str]) -> bool:
    """Whether a system may have made one of these files, or it is hidden; quick, of many names at once."""
    folded = [name.casefold() for name in names]
    together = "/" + "/".join(folded)
    return "@" in together or any("/" + start in together for start in _BEGINS) or not _FILES.isdisjoint(folded)
