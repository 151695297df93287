"""Tables of samples: a column says which modality they are of."""

from graft.data.listing import Listing, Progress
from graft.spec.modalities.table import TableData


def list_table(spec: TableData, progress: Progress | None = None) -> Listing:
    """List the rows of a table.

    Raises:
        DataError: the file cannot be read, lacks a column, or no row has a label.
    """
    if spec.modality == "image":
        from graft.modalities.image.sources.table import list_image_table

        return list_image_table(spec, progress)
    from graft.modalities.text.sources.table import list_text_table

    return list_text_table(spec, progress)
