"""The forms in which a model leaves graft."""

from typing import ClassVar, Literal

from graft.spec.base import Component


class ExporterSpec(Component):
    """A form; built from (spec, bundle directory), and called with the directory to write into.

    Attributes:
        takes_ensembles: whether it can write a bundle of several networks.
    """

    takes_ensembles: ClassVar[bool] = False


class BundleExporter(ExporterSpec):
    """graft's own bundle: manifest, safetensors, preprocessing."""

    kind: Literal["bundle"] = "bundle"
    built_by: ClassVar[str] = "graft.export.bundle:BundleCopy"
    takes_ensembles: ClassVar[bool] = True
