"""Which node's trials move to others, so that it can leave. Pure.

Trials that end leave gaps. Where no trial is to begin any more nobody fills them, and a node with several GPUs is paid
for as long as one of them is used.
"""

from collections.abc import Mapping


def node_to_empty(movable: Mapping[str, int], room: Mapping[str, int]) -> str | None:
    """The node whose trials all find room on others; of several the one with fewest, so that as few as possible move.

    Args:
        movable: trials of each node where nothing else is, and all of which can move now.
        room: for how many more there is on each node that is in use, those of `movable` among them.
    """
    for node, trials in sorted(movable.items(), key=lambda one: (one[1], one[0])):
        if 0 < trials <= sum(room.values()) - room.get(node, 0):
            return node
    return None
