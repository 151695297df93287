"""Serves the page on the loopback interface, to whoever has its token (`graft.tracking.ui_gate`)."""

import contextlib
import re
import secrets
import threading
from collections.abc import Iterator

from graft.pipeline.exploration.page.application import ANSWERS, LabelPage
from graft.tracking.server import local_address, loopback_server, require_free_port
from graft.tracking.ui import with_token
from graft.tracking.ui_gate import Door, Gate, GatedApplication

TO_LABELS = Door("graft explore", re.compile(re.escape(ANSWERS)), "`graft explore` takes answers, and nothing else")


@contextlib.contextmanager
def serving(page: LabelPage, port: int) -> Iterator[str]:
    """Serve a page as long as the context lasts; gives its address, with the token.

    Args:
        page: the application.
        port: to listen on; 0 for any that is free.

    Raises:
        ResourceError: the port cannot be used.
    """
    require_free_port(port)
    server, token = loopback_server(page, port), secrets.token_urlsafe(32)
    # Before anything is served: the gate has to know the port.
    server.app = GatedApplication(page, Gate(token, server.port, TO_LABELS))
    threading.Thread(target=server.serve_forever, args=(0.05,), name="graft-explore-page", daemon=True).start()
    try:
        yield with_token(local_address(server.port), token)
    finally:
        server.shutdown()
        server.server_close()
