"""The samples of an exploration as it read them first: what comes to the pool later is for another one."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graft.core.errors import ArtifactError, DataError
from graft.core.passing_errors import machine_errors
from graft.core.storage import canonical_json, file_digest, new_directory, read_json, text_digest, write_json
from graft.core.stores.copy import bring_tree, publish_tree
from graft.journal.explorations import ExplorationStarted
from graft.pipeline.exploration.backbone import OnProgress
from graft.pipeline.exploration.pool import Pool, ReadPool, read_pool

_LOG = logging.getLogger(__name__)

FEATURES, FACTS = "features.npy", "pool.json"


def kept_pool(directory: Path, pool: Pool, begun: ExplorationStarted | None, on_read: OnProgress) -> ReadPool:
    """The pool as an exploration has read it; read now, if it begins, or if what it kept is gone or damaged.

    Args:
        directory: of what is kept.
        pool: the samples.
        begun: what the journal says; without it nobody knows on whose features, so all is read anew.
        on_read: told how many samples of how many are read.

    Raises:
        DataError: none can be read; or they are to be read again, and are not the same any more.
        ResourceError: memory or file handles have run out, which says nothing of what is kept.
    """
    if begun is not None and bring_tree(directory).is_dir():
        try:
            return _read(directory)
        except ArtifactError as error:
            _LOG.warning("%s; the samples are read again", error)
    found = read_pool(pool, directory.with_name("reader"), on_read)
    if begun is not None:
        _require_same(begun, found, pool)
    shutil.rmtree(directory, ignore_errors=True)
    with new_directory(directory) as scratch:
        np.save(scratch / FEATURES, found.features)
        digests = {"contents": found.contents, "features": file_digest(scratch / FEATURES)}
        facts = {"ids": found.ids, "left_out": found.left_out, **digests}
        write_json(scratch / FACTS, facts)
    publish_tree(directory)
    return found


def digest_of(ids: Sequence[str]) -> str:
    """What tells samples apart from others, or from the same in another order."""
    return text_digest(canonical_json(list(ids)))


def _read(directory: Path) -> ReadPool:
    """What is kept.

    Raises:
        ArtifactError: it is damaged.
    """
    facts, path = read_json(directory / FACTS), directory / FEATURES
    try:
        with machine_errors(path, is_ours=True):
            written = facts.get("features") or file_digest(path)  # those of before it was kept have none
            features = np.load(path, allow_pickle=False)
            ids, left_out = tuple(facts["ids"]), dict(facts["left_out"])
            contents = tuple(map(str, facts.get("contents") or ()))  # those of before it was kept have none
            lengths = {len(ids), *features.shape[:1], len(contents) or len(ids)}
            if file_digest(path) != written or len(lengths) != 1:
                raise ArtifactError(f"{path} is damaged")
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path} is damaged ({error})") from error
    return ReadPool(ids, features, left_out, contents)


def _require_same(begun: ExplorationStarted, found: ReadPool, pool: Pool) -> None:
    """Labels were asked for by rows of the samples as they were."""
    is_same = digest_of(found.ids) == begun.ids if begun.ids else len(found.ids) == begun.samples
    if not is_same:
        told = f"{pool.source} has {len(found.ids):,} samples that can be read, and not the {begun.samples:,}"
        raise DataError(
            f"{told} that the exploration was begun with, of which nothing is left in its directory; put those back, "
            "or begin another one with --name"
        )
    if begun.contents and digest_of(found.contents) != begun.contents:
        told = f"{pool.source} has samples of the same names, but not the same as the exploration was begun with"
        raise DataError(f"{told}; put those back, or begin another one with --name")
