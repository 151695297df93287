"""The end of a process whose exit code others rely on."""

import os
import sys


class Ending:
    """To be called at exit after all that Python has to end; it leaves what libraries would do after that undone.

    Threads that Ray, gRPC and Arrow leave behind go on while their own destructors take away what they work with: a
    process whose work was done, and told, has ended by SIGSEGV. The kernel takes memory and descriptors back faster.

    Attributes:
        code: The exit code; None leaves the end to Python.
    """

    code: int | None = None

    def __call__(self) -> None:
        """End the process."""
        if self.code is None:
            return
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(self.code)


ending = Ending()
