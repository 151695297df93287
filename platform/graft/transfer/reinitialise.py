"""Drawing weights again, from a seed that nothing else uses."""

import torch
from torch import nn

from graft.core.seeds import derive_seed

# What vision transformers draw their weights with (Dosovitskiy et al., ICLR 2021, and timm): the choice for parameters
# that no `reset_parameters` knows how to draw.
_STD = 0.02


def reinitialise(modules: list[nn.Module], seed: int, purpose: str) -> None:
    """Draw all parameters of `modules` again, in place; batch-norm statistics start anew too.

    Every module is drawn by its own `reset_parameters`. A parameter whose module has none is drawn from a normal
    distribution truncated at two standard deviations of 0.02, or set to 0 if it is a bias, to 1 if it is the scale of a
    norm. The global random state is left as it was.

    Args:
        modules: what to draw, in order; order and `seed` fix the result.
        seed: root seed of the trial.
        purpose: keeps streams apart ("head", "blocks").
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(derive_seed(seed, "reinitialise", purpose))
        for root in modules:
            for module in root.modules():
                _draw(module)


def _draw(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for name, parameter in module.named_parameters(recurse=False):
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 1 and name.endswith("weight"):  # the scale of a norm
            nn.init.ones_(parameter)
        else:
            nn.init.trunc_normal_(parameter, std=_STD, a=-2 * _STD, b=2 * _STD)
