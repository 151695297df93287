"""What the system said while safetensors wrote a file: it wraps that in an error of its own."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError


@contextmanager
def system_errors() -> Iterator[None]:
    """Have what the system says of a file in the block, such as of a full disk, as the OSError that callers act on."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
