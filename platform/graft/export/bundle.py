"""graft's own bundle as a form of export: a copy, checked file by file."""

import shutil
from pathlib import Path

from graft.models.bundle import read_bundle
from graft.spec.exporters import ExporterSpec


class BundleCopy:
    """Copies a bundle.

    Args:
        spec: names the form.
        bundle: directory of a finished bundle.
    """

    def __init__(self, spec: ExporterSpec, bundle: Path) -> None:
        self._bundle = read_bundle(bundle)

    def __call__(self, target: Path) -> Path:
        """Write it to a directory that must not exist yet; returns it."""
        shutil.copytree(self._bundle.directory, target)
        return target
