"""Many observations as few: the fit of a surrogate takes the cube of their number."""

import numpy as np

from graft.meta.recommend.kernel import Likeness
from graft.meta.recommend.table import Table

MOST_ROWS = 900
ALL_OTHERS = "all other tasks"


def condensed(table: Table, likeness: Likeness, task: str, most: int = MOST_ROWS) -> Table:
    """At most about so many rows, those that say most of one task.

    The tasks that are most like it, of equals those whose scores go the same way, keep their rows, as far as half of
    the places reach; all others become one task, in which each candidate has the mean of its losses, and the more
    weight the more tasks it comes from. If that is too many still, its best and, of the rest, evenly spread ones stay.

    Args:
        table: of any size.
        likeness: compares its tasks.
        task: the one that is to be predicted.
        most: rows.
    """
    if table.rows <= most:
        return table
    counts = np.bincount(table.task, minlength=len(table.tasks))
    order = np.lexsort((-likeness.of_by_scores(task), -likeness.of(task)))
    near = order[np.cumsum(counts[order]) <= most // 2]
    is_near = np.isin(table.task, near)
    rest = _merged(table.without(~is_near), most - int(is_near.sum()))
    kept = table.without(is_near)
    return Table(
        (*table.tasks, ALL_OTHERS),
        table.candidates,
        np.concatenate([kept.task, rest.task]),
        np.concatenate([kept.candidate, rest.candidate]),
        np.concatenate([kept.loss, rest.loss]),
        np.concatenate([kept.weight, rest.weight]),
        np.concatenate([kept.features, rest.features]),
        table.names,
    )


def _merged(table: Table, most: int) -> Table:
    """One row a candidate, of the task behind all others."""
    places, group = np.unique(table.candidate, return_inverse=True)
    weight = np.bincount(group, table.weight).astype(np.float64)
    loss = np.bincount(group, table.weight * table.loss) / weight
    features = np.stack([np.bincount(group, table.weight * column) / weight for column in table.features.T], axis=1)
    order = np.argsort(-loss, kind="stable")
    if len(order) > most:
        best, others = order[: most // 2], order[most // 2 :]
        spread = others[np.linspace(0, len(others) - 1, most - len(best)).astype(int)]
        order = np.concatenate([best, spread])
    task = np.full(len(order), len(table.tasks), dtype=np.intp)
    return Table(
        table.tasks, table.candidates, task, places[order], loss[order], weight[order], features[order], table.names
    )
