"""What shards of an archive may be: which members hold the samples, and which the labels."""

import itertools
from collections import Counter
from pathlib import Path

from graft.core.errors import DataError
from graft.data.archives.shards import SUFFIX
from graft.data.archives.webdataset import samples_of
from graft.data.draft import Draft, Wish
from graft.modalities.containers.listing import list_container
from graft.spec.modalities.webdataset import WebDatasetData

_LOOKED_AT = 200
_LABELS = ("cls", "label", "json", "txt")


def draft_webdataset(path: Path, wish: Wish) -> Draft | None:
    """Tar archives whose members come in groups of one name.

    Raises:
        DataError: one is damaged, or its members could be several things.
    """
    shard = _first(path)
    if shard is None:
        return None
    some = itertools.islice(samples_of(shard, lambda reason, member: None), _LOOKED_AT)
    endings = Counter(ending for _, sample in some for ending in sample if ending)
    section = _section(shard, endings, wish)
    listing = list_container(WebDatasetData.model_validate({"path": str(path), **section}))
    return Draft("webdataset", path, len(listing), section)


def _first(path: Path) -> Path | None:
    if path.is_dir():
        return next((one for one in sorted(path.iterdir()) if one.suffix.lower() == SUFFIX and one.is_file()), None)
    return path if path.suffix.lower() == SUFFIX and path.is_file() else None


def _section(shard: Path, endings: Counter[str], wish: Wish) -> dict[str, str]:
    from graft.modalities.image.draft import is_named_as_sample

    shown = ", ".join(f"{ending} ({count})" for ending, count in endings.most_common(12)) or "none"
    pictures = [ending for ending, _ in endings.most_common() if is_named_as_sample(f"x.{ending}")]
    sample = [wish.sample] if wish.sample else pictures or [one for one in ("txt",) if one in endings]
    label = next((one for one in (*wish.labels, *_LABELS) if one in endings and one not in sample), None)
    if not sample or label is None:
        raise DataError(
            f"{shard} has members that end in {shown}, but must have some of samples (such as jpg or txt) and some of "
            "labels (such as cls); name them with --sample ENDING --label ENDING, or unpack it if it is a packed "
            "folder (tar -xf)"
        )
    is_picture = is_named_as_sample(f"x.{sample[0]}")
    return {"image" if is_picture else "text": ";".join(sample), "label": label}
