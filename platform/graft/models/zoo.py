"""The names of backbones: bundled ones, ``library:architecture``, and ``local:library/architecture:path``."""

from dataclasses import dataclass

from graft.core.errors import Problem, SpecError
from graft.core.registry import Registry, unknown
from graft.core.uris import user_path
from graft.models.info import BackboneInfo
from graft.models.sources import FileWeights, HubWeights, WeightSource

ZOO = Registry(
    "backbone",
    {
        "efficientnet_lite0": "graft.modalities.image.backbones.bundled:EFFICIENTNET_LITE0",
        "efficientnet_lite1": "graft.modalities.image.backbones.bundled:EFFICIENTNET_LITE1",
        "efficientnet_lite2": "graft.modalities.image.backbones.bundled:EFFICIENTNET_LITE2",
        "mobilenet_v2": "graft.modalities.image.backbones.bundled:MOBILENET_V2",
        "minilm_l3": "graft.modalities.text.backbones.bundled:MINILM_L3",
        "minilm_l6": "graft.modalities.text.backbones.bundled:MINILM_L6",
        "multilingual_e5_small": "graft.modalities.text.backbones.e5:MULTILINGUAL_E5_SMALL",
    },
)
LIBRARIES = Registry(
    "library",
    {
        "timm": "graft.modalities.image.backbones.timm:TimmLibrary",
        "torchvision": "graft.modalities.image.backbones.torchvision:TorchvisionLibrary",
        "hf": "graft.modalities.text.backbones.transformers:TransformersLibrary",
        "gru": "graft.modalities.text.backbones.recurrent:GruLibrary",
        "lstm": "graft.modalities.text.backbones.recurrent:LstmLibrary",
        "bag": "graft.modalities.text.backbones.bag:BagLibrary",
    },
)
GLANCES = Registry("glance", {"hf": "graft.modalities.text.backbones.glance:glance"})
"""Of libraries whose files say what is wrong with them before the library is imported: ``glance(architecture)``."""

_FORMS = (
    "`timm:ARCHITECTURE`, `torchvision:ARCHITECTURE`, `hf:FOLDER`, `hf:NAME`, `gru:BACKBONE`, `lstm:BACKBONE`, "
    "`bag:BACKBONE` or `local:LIBRARY/ARCHITECTURE:PATH`"
)


@dataclass(frozen=True)
class ZooEntry:
    """A backbone that can be asked for by name.

    Attributes:
        architecture: ``<library>/<architecture>``.
        weights: where the pretrained weights come from.
        rule: name of the weight mapping; None chooses it by looking at the keys.
        info: what is known without asking the library; None asks it.
        takes_any_size: whether inputs may be of every size, so that the library need not be asked.
    """

    architecture: str
    weights: WeightSource
    rule: str | None = None
    info: BackboneInfo | None = None
    takes_any_size: bool = False


def find_entry(name: str) -> ZooEntry:
    """The entry behind a name; nothing is read and no network is built.

    Raises:
        SpecError: the name has none of the known forms.
    """
    source, colon, rest = name.partition(":")
    if not colon:
        return _bundled(name)
    if source in LIBRARIES and rest:
        return ZooEntry(f"{source}/{rest}", HubWeights(source, rest), rule="identity")
    if source == "local":
        return _local(name, rest)
    raise SpecError([Problem("", f"backbone is `{name}`, but must be {_FORMS} or a bundled name")])


def name_problem(name: str) -> str | None:
    """Why a name is none of a backbone, to follow the name of the key, with near ones; None if it is one.

    Neither the library nor a bundled backbone is imported.
    """
    if name in ZOO:
        return None
    try:
        find_entry(name)
    except SpecError as error:
        return str(error).removeprefix("backbone ")
    return None


def is_told_by_files(name: str) -> bool:
    """Whether most of what can be wrong with a backbone shows in files of the user, without its library."""
    source, _, rest = name.partition(":")
    return name_problem(name) is None and bool(rest) and (source == "local" or source in GLANCES)


def glance_problem(name: str) -> str | None:
    """What its files say against a backbone that `is_told_by_files`; no library and no torch is imported.

    Raises:
        ResourceError: a file cannot be read at the moment.
    """
    source, _, rest = name.partition(":")
    if source not in GLANCES:
        return find_entry(name).weights.problem()
    found: str | None = GLANCES.get(source)(rest)
    return found


def has_backbone(name: str) -> bool:
    """Whether a name has one of the known forms, and is described without weights."""
    try:
        find_entry(name)
    except SpecError:
        return False
    return True


def _bundled(name: str) -> ZooEntry:
    if name not in ZOO:
        raise SpecError([Problem("", f"{unknown('backbone', name, ZOO.names())}; or {_FORMS}")])
    entry: ZooEntry = ZOO.get(name)
    return entry


def _local(name: str, rest: str) -> ZooEntry:
    architecture, _, path = rest.partition(":")
    library, slash, base = architecture.partition("/")
    if not (path and slash and base and library in LIBRARIES):
        form = "`local:LIBRARY/ARCHITECTURE:PATH`, such as `local:timm/resnet18:weights/resnet18.pth`"
        raise SpecError([Problem("", f"backbone is `{name}`, but must have the form {form}")])
    return ZooEntry(architecture, FileWeights(user_path(path).absolute()))
