import subprocess
import sys

import pytest

BEFORE = """
import sys, torch
from graft.models.deferred_compiler import deferred_compiler
with deferred_compiler():
    import timm, torchvision
    from timm.models import naflexvit
assert "torch._dynamo" not in sys.modules
assert "torch._dynamo.utils" not in sys.modules
"""


def run(program: str) -> None:
    """Run it in a process of its own: what is imported, stays."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "use",
    [
        # What the two libraries ask the compiler for is there when it is wanted.
        "from torchvision.ops import roi_align\n"
        "boxes = torch.tensor([[0., 0., 0., 3., 3.]])\n"
        "torch.use_deterministic_algorithms(True)\n"
        "assert roi_align(torch.ones(1, 1, 4, 4), boxes, 2).shape == (1, 1, 2, 2)",
        # It is the real one that others get afterwards.
        "import torch._dynamo.utils\nassert torch._dynamo.utils.counters is not None\n"
        "assert torch._dynamo.__spec__ is not None\n"
        "assert torch.compile(lambda x: x + 1, backend='eager')(torch.ones(2)).tolist() == [2.0, 2.0]",
    ],
)
def test_the_compiler_is_there_when_it_is_first_used(use: str) -> None:
    run(BEFORE + use)


def test_what_must_not_be_compiled_is_not() -> None:
    run(
        """
import torch
from graft.models.deferred_compiler import deferred_compiler
with deferred_compiler():
    @torch.compiler.disable
    def plain(x):
        return torch.compiler.is_compiling(), x + 1
    @torch.compiler.disable(recursive=False)
    def other(x):
        return x + 1
assert (plain(1), other(1), plain.__name__) == ((False, 2), 2, "plain")
import torch._dynamo
compiled = torch.compile(plain, backend="eager")
assert compiled(torch.ones(1)) == (False, torch.ones(1) + 1)
"""
    )


def test_a_library_that_asks_for_more_gets_the_real_one() -> None:
    run(
        """
import sys, torch
from graft.models.deferred_compiler import deferred_compiler
with deferred_compiler():
    from torch._dynamo.utils import counters
    from torch._dynamo import config
assert sys.modules["torch._dynamo"].__spec__ is not None
assert config is torch._dynamo.config
"""
    )


def test_an_imported_compiler_stays() -> None:
    run(
        """
import sys, torch._dynamo
from graft.models.deferred_compiler import deferred_compiler
real = sys.modules["torch._dynamo"]
with deferred_compiler():
    assert sys.modules["torch._dynamo"] is real
assert sys.modules["torch._dynamo"] is real
"""
    )


def test_a_failed_import_leaves_no_stand_in() -> None:
    run(
        """
import sys, torch
from graft.models.deferred_compiler import deferred_compiler
try:
    with deferred_compiler():
        raise ImportError
except ImportError:
    pass
assert "torch._dynamo" not in sys.modules
"""
    )
