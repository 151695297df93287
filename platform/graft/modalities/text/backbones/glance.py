"""What the files of an ``hf:`` encoder tell before transformers, which takes seconds, is imported."""

from graft.core.errors import ArtifactError
from graft.modalities.text.backbones.configs import fields_of, folder_of
from graft.modalities.text.backbones.families import unsupported
from graft.modalities.text.backbones.weights import TOKENIZER, weight_files
from graft.models.weights.header import SUFFIXES, file_problem


def glance(architecture: str) -> str | None:
    """Why there is no such network, or why its weights cannot be read; None as far as nothing speaks against it.

    Args:
        architecture: a folder, or a name on the hub.

    Raises:
        ResourceError: a file cannot be read at the moment.
    """
    try:
        fields = fields_of(architecture)
        folder_of(architecture, (TOKENIZER,))
        files = [file.path for file in weight_files(architecture) if file.path.suffix in SUFFIXES]
    except ArtifactError as error:
        return str(error)
    if problem := unsupported(fields):
        return f"`{architecture}` {problem}"
    return next(filter(None, map(file_problem, files)), None)
