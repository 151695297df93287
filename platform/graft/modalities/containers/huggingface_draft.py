"""What a saved Hugging Face data set may be: its schema says which columns hold images and classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from graft.core.errors import DataError
from graft.data.columnar.cells import holds_bytes
from graft.data.columnar.groups import ArrowGroups
from graft.data.draft import Draft, Wish
from graft.data.hub.listing import guarded
from graft.data.hub.saved import features_of, is_saved, label_names_of, saved_parts
from graft.data.tables.rows import shown_columns
from graft.modalities.containers.listing import list_container
from graft.spec.modalities.huggingface import HuggingFaceData

_CALLED = ("text", "sentence", "review", "content", "document")


def draft_huggingface(path: Path, wish: Wish) -> Draft | None:
    """A directory that `save_to_disk` has left.

    Raises:
        DataError: it is damaged, or its columns could be several things.
    """
    if not path.is_dir() or not is_saved(path):
        return None
    file = saved_parts(path)[0].files[0]
    schema = next(guarded(file, (one.file.schema for one in [ArrowGroups(file)])))
    section = _section(schema, features_of(schema.metadata), wish)
    spec = HuggingFaceData.model_validate({"path": str(path), **section})
    return Draft("huggingface", path, len(list_container(spec)), section)


def _section(schema: pa.Schema, features: Mapping[str, Any], wish: Wish) -> dict[str, str]:
    files = [name for name in schema.names if holds_bytes(schema.field(name).type)]
    texts = [name for name in schema.names if pa.types.is_string(schema.field(name).type)]
    labels = [name for name in schema.names if label_names_of(features.get(name))]
    called = [name for name in texts if name.lower() in _CALLED]
    sample = wish.sample or _only(files) or _only(called) or _only(texts)
    label = (
        (wish.labels[0] if wish.labels else None) or _only(labels) or _only([n for n in schema.names if n == "label"])
    )
    if sample is None or label is None:
        raise DataError(
            f"the set has the columns {shown_columns(schema.names)}, of which samples and labels must be named; add "
            "--sample COLUMN --label COLUMN"
        )
    return {"image" if sample in files else "text": sample, "label": label}


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None
