"""How the networks of another library become Backbones; one class a library, imported when it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from graft.core.errors import Problem, SpecError
from graft.core.unicode_form import nearest
from graft.models.info import BackboneInfo
from graft.models.weights.digest import WeightFile
from graft.models.zoo import LIBRARIES

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graft.models.backbone import Backbone


class Library(Protocol):
    """Builds and wraps the networks of one library. Stateless."""

    def problem(self, architecture: str) -> str | None:
        """Why the architecture cannot be used, as one sentence; None if it can."""

    def create(self, architecture: str) -> nn.Module:
        """The library's own network: native input size, random weights, forward gives pooled features."""

    def wrap(self, network: nn.Module, size: int | None = None) -> Backbone:
        """The same network as a Backbone; takes the network's modules over, so use it no more."""

    def size_problem(self, architecture: str, size: int) -> str | None:
        """Why it cannot take inputs of a size, to follow the name of the key, with those it can; None if it can."""

    def describe(self, architecture: str) -> BackboneInfo:
        """What is known about it, without its weights and without their memory."""

    def sample(self, architecture: str, size: int | None = None) -> Mapping[str, Tensor]:
        """A batch of one sample without content, at a size as its modality counts it; None means native."""

    def files(self, architecture: str) -> tuple[WeightFile, ...]:
        """The files of its pretrained weights on this machine; empty if they are not here. Uses no network."""

    def read(self, architecture: str) -> dict[str, Tensor]:
        """The pretrained weights from those files, under the names `create` uses. Uses no network."""

    def fetch(self, architecture: str) -> None:
        """Bring the pretrained weights to where `files` finds them: the only thing that uses the network.

        What `problem` asks for may come with them, so it is not asked before.

        Raises:
            SpecError: the library has no such architecture.
            ArtifactError: there are no weights, or not all that is needed. Other errors are those of the hub's client.
        """


def library_for(architecture: str) -> tuple[Library, str]:
    """The library and its own architecture name for ``<library>/<architecture>``.

    Raises:
        SpecError: the library or the architecture is not known or not supported.
    """
    library, name = library_named(architecture)
    problem = library.problem(name)
    if problem:
        raise SpecError([Problem("", problem)])
    return library, name


def library_named(architecture: str) -> tuple[Library, str]:
    """The same, before it is known whether the library can use the architecture.

    Raises:
        SpecError: the library is not known.
    """
    prefix, _, name = architecture.partition("/")
    library: Library = LIBRARIES.get(prefix)()
    return library, name


def build_backbone(architecture: str, size: int | None = None) -> Backbone:
    """A Backbone with random weights.

    Args:
        architecture: ``<library>/<architecture>``, such as ``timm/tf_efficientnet_lite0``.
        size: of its inputs, as its modality counts it (pixels a side, tokens); None means native.

    Raises:
        SpecError: the architecture is not known, not supported, or cannot work at this size.
    """
    library, name = library_for(architecture)
    return library.wrap(library.create(name), size)


def count_params(module: nn.Module) -> int:
    """Number of parameters, trainable or not; a shared one counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The tail of an error message that names the nearest known name, or nothing."""
    near = nearest(name, known)
    return f"; did you mean `{near}`?" if near else ""
