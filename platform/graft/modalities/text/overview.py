"""A look at each kind of text source: names and counts, without opening what is long."""

from collections import Counter

from graft.data.folders.overview import folder_overview
from graft.data.overview import Overview, Progress, overview_of_counts
from graft.data.splits.names import SplitName
from graft.data.tables.encoding import decoder_of
from graft.modalities.text.file_names import text_files_in
from graft.spec.modalities.text import TextFolderData, WordnetData


def text_folder_overview(spec: TextFolderData, progress: Progress | None = None) -> Overview:
    """What a directory of texts holds, by its names.

    Raises:
        DataError: it can be read in two ways, or in none; or there is no such encoding.
    """
    decoder_of(spec.encoding)
    return folder_overview(spec, text_files_in(spec.encoding), progress)


def wordnet_overview(spec: WordnetData, progress: Progress | None = None) -> Overview:
    """What WordNet's file holds.

    Raises:
        DataError: it is not there, or holds no definitions.
    """
    from graft.modalities.text.sources.wordnet import list_wordnet  # imports numpy, which other kinds do not need

    listing = list_wordnet(spec, progress)
    counts = Counter(listing.targets.values.tolist())
    found: dict[str, dict[SplitName | None, int]] = {
        name: {None: counts[code]} for code, name in enumerate(listing.targets.categories)
    }
    return overview_of_counts("texts", found, spec)
