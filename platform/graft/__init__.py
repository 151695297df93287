"""graft adapts pretrained models to your own data, automatically, on a laptop or a Ray cluster.

import graft
result = graft.run("jobs/digits.yaml")
result.predict(["photo.png"])
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graft.api import load, run

__all__ = ["load", "run"]


def __getattr__(name: str) -> Any:
    # `import graft` must stay light: the command line answers `--help` in well under a second.
    if name in __all__:
        from graft import api

        return getattr(api, name)
    raise AttributeError(f"module 'graft' has no attribute '{name}'")
