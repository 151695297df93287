"""A folder of text files for each class: ``path/<class>/**/*.txt``, or ``path/{train,val,test}/<class>/**/*.txt``."""

from pathlib import Path

from graft.data.folders.labelled import FilesBelow, files_below, list_labelled_files
from graft.data.listing import Listing, Progress
from graft.data.tables.encoding import decoder_of
from graft.modalities.text.file_names import TEXT_FILES
from graft.modalities.text.files import TextFile
from graft.spec.modalities.text import TextFolderData


def list_text_folder(spec: TextFolderData, progress: Progress | None = None) -> Listing:
    """List a directory with one folder of text files for each class (`graft.data.folders`).

    Raises:
        DataError: the directory is missing, or its folders can be read in two ways, or in none; or there is no such
            encoding.
    """
    decoder_of(spec.encoding)
    found = list_labelled_files(spec, TEXT_FILES, progress)
    return Listing(
        source=f"texts in {found.root}",
        ids=found.ids,
        targets=found.targets,
        given=found.given,
        groups=found.groups,
        versions=found.versions,
        identity=found.identity,
        sources=found.sources,
        reader=TextFile(spec.encoding),
        facts={"max_characters": spec.max_characters, "encoding": spec.encoding},
        ignored=found.ignored,
        unreadable=found.unreadable,
    )


def text_files(directory: Path) -> FilesBelow:
    """All text files below a directory, sorted; and what is left out.

    Raises:
        DataError: a directory below cannot be read.
    """
    return files_below(directory, TEXT_FILES)
