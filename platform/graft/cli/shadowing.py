"""Modules of the user's that take the place of libraries, such as `torch.py` in a directory of PYTHONPATH."""

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from importlib.machinery import PathFinder


def shadowing(error: BaseException) -> str:
    """One line on a module that has taken the place of another, with what to do; empty if none had to do with it.

    Args:
        error: what came of it.
    """
    ran = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)}
    for name, place in _strangers():
        if place not in ran and getattr(sys.modules.get(name), "__file__", None) != place:
            continue
        told = f"`import {name}` gives {place}, which takes the place of the {_kind(name)} of that name"
        return f"{told}; rename it, or take its directory from PYTHONPATH"
    return ""


def _strangers() -> Iterator[tuple[str, str]]:
    """Modules that are found outside the places of libraries, though they are there too: name, file."""
    libraries = {os.path.realpath(sysconfig.get_path(one)) for one in ("stdlib", "platstdlib", "purelib", "platlib")}
    for directory in (os.path.realpath(one) for one in sys.path):
        if not os.path.isdir(directory) or any(f"{directory}/".startswith(f"{one}/") for one in libraries):
            continue  # libraries bring others along, as Ray does psutil
        for name in sorted({entry.name.removesuffix(".py") for entry in os.scandir(directory) if _is_module(entry)}):
            found, meant = PathFinder.find_spec(name), PathFinder.find_spec(name, [*libraries])
            if found and found.origin and found.origin.startswith(f"{directory}/") and meant and meant.origin:
                yield name, found.origin


def _is_module(entry: "os.DirEntry[str]") -> bool:
    if entry.name.endswith(".py"):
        return entry.name.removesuffix(".py").isidentifier()
    return entry.name.isidentifier() and os.path.isfile(os.path.join(entry.path, "__init__.py"))


def _kind(name: str) -> str:
    return "module" if name in sys.stdlib_module_names else "library"
