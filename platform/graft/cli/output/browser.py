"""The user's browser, where there is a display for one."""

import contextlib
import os
import sys
import webbrowser
from collections.abc import Iterator


def has_display() -> bool:
    """Whether a browser could be seen."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@contextlib.contextmanager
def opened(address: str) -> Iterator[None]:
    """Open an address that holds a token, without any other user's seeing it; its page is there as long as the context
    lasts."""
    from graft.tracking.ui import page_that_leads_to

    with page_that_leads_to(address) as page:
        webbrowser.open(page)
        yield
