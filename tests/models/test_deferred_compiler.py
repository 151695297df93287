import subprocess
import sys
from collections.abc import Mapping

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

AFTER = {
    "what torchvision asks for": """
from torchvision.ops import roi_align
boxes = torch.tensor([[0., 0., 0., 3., 3.]])
torch.use_deterministic_algorithms(True)
assert roi_align(torch.ones(1, 1, 4, 4), boxes, 2).shape == (1, 1, 2, 2)
""",
    "what others ask for": """
import torch._dynamo.utils
assert torch._dynamo.utils.counters is not None
assert torch._dynamo.__spec__ is not None
assert torch.compile(lambda x: x + 1, backend='eager')(torch.ones(2)).tolist() == [2.0, 2.0]
""",
}
PROGRAMS = {
    "not compiled": """
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
""",
    "asks for more": """
import sys, torch
from graft.models.deferred_compiler import deferred_compiler
with deferred_compiler():
    from torch._dynamo.utils import counters
    from torch._dynamo import config
assert sys.modules["torch._dynamo"].__spec__ is not None
assert config is torch._dynamo.config
""",
    "imported before": """
import sys, torch._dynamo
from graft.models.deferred_compiler import deferred_compiler
real = sys.modules["torch._dynamo"]
with deferred_compiler():
    assert sys.modules["torch._dynamo"] is real
assert sys.modules["torch._dynamo"] is real
""",
    "shapes": """
import sys, torch
from graft.models.structure.stages import stages_of
stages = stages_of("timm/tf_efficientnet_lite0")
assert "torch._dynamo" not in sys.modules
import torch._dynamo
stages_of.cache_clear()
assert stages_of("timm/tf_efficientnet_lite0") == stages
""",
    "optimiser": """
import sys, torch
from graft.spec.components.optimizer import AdamW
from graft.training.optimizer import build_optimizer
weight = torch.nn.Parameter(torch.ones(2))
optimizer = build_optimizer(AdamW(), [{"params": [weight], "names": ["weight"], "lr": 0.5, "weight_decay": 0.0}])
assert "torch._dynamo" not in sys.modules
weight.sum().backward()
optimizer.step()
torch.testing.assert_close(weight, torch.full((2,), 0.5))
""",
    "failed import": """
import sys, torch
from graft.models.deferred_compiler import deferred_compiler
try:
    with deferred_compiler():
        raise ImportError
except ImportError:
    pass
assert "torch._dynamo" not in sys.modules
""",
}

FORK = """
import os, sys, traceback
from pathlib import Path
import torch
assert "torch._dynamo" not in sys.modules

def run_each(folder, names):
    for program in sorted(folder.iterdir()):
        if not (child := os.fork()):
            try:
                exec(program.read_text(), names)
                said = "well"
            except BaseException:
                said = traceback.format_exc()
            program.write_text(said)
            os._exit(0)
        os.waitpid(child, 0)

run_each(Path(sys.argv[1]) / "programs", {"__name__": "__main__"})
names = {"__name__": "__main__"}
exec(sys.argv[2], names)
run_each(Path(sys.argv[1]) / "after", names)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """How each program ended, in a process of its own, as what is imported stays; what they share is imported once."""
    place = tmp_path_factory.mktemp("programs")
    for folder, programs in {"programs": PROGRAMS, "after": AFTER}.items():
        (place / folder).mkdir()
        for name, program in programs.items():
            (place / folder / name).write_text(program)
    done = subprocess.run([sys.executable, "-c", FORK, str(place), BEFORE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_text() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize("use", AFTER)
def test_the_compiler_is_there_when_it_is_first_used(said: Mapping[str, str], use: str) -> None:
    assert said[use] == "well"


def test_what_must_not_be_compiled_is_not(said: Mapping[str, str]) -> None:
    assert said["not compiled"] == "well"


def test_a_library_that_asks_for_more_gets_the_real_one(said: Mapping[str, str]) -> None:
    assert said["asks for more"] == "well"


def test_an_imported_compiler_stays(said: Mapping[str, str]) -> None:
    assert said["imported before"] == "well"


def test_a_failed_import_leaves_no_stand_in(said: Mapping[str, str]) -> None:
    assert said["failed import"] == "well"


def test_shapes_without_values_need_no_compiler_and_are_the_same_with_it(said: Mapping[str, str]) -> None:
    assert said["shapes"] == "well"


def test_an_optimiser_that_takes_no_step_needs_no_compiler(said: Mapping[str, str]) -> None:
    assert said["optimiser"] == "well"
