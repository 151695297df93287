"""Keeps away from a user's notebook or script what libraries tell those who use them by themselves.

The first import of `graft.api`, because some of it is told while they are imported. On the command line it goes to the
log of the experiment.
"""

import logging
import warnings

# A run needs no widgets of Ray and no bars of tqdm, and makes the token that Ray tells of itself.
_NOT_OURS = {
    "ray.widgets.util": logging.WARNING,
    "ray._private.authentication.authentication_token_setup": logging.ERROR,
}


def hush() -> None:
    """From now on, in this process."""
    for name, level in _NOT_OURS.items():
        logging.getLogger(name).setLevel(level)
    warnings.filterwarnings("ignore", message="IProgress not found")


hush()
