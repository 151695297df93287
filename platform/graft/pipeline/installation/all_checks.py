"""Every check, in the order in which one would ask."""

from functools import partial

from graft.core.storage import Home
from graft.pipeline.installation import machine, packages
from graft.pipeline.installation.check import Check


def all_checks(home: Home, starts_ray: bool) -> list[Check]:
    """The checks of an installation.

    Args:
        home: that is going to be used.
        starts_ray: whether Ray is started once, to see how long that takes.
    """
    return [
        Check("python", packages.python),
        Check("packages", packages.requirements),
        Check("torch", packages.torch),
        Check("libraries", packages.libraries),
        Check("weights", packages.weights),
        Check("home", partial(machine.home, home)),
        Check("disk", partial(machine.disk, home)),
        Check("shm", machine.shared_memory),
        Check("loopback", machine.loopback),
        Check("files", machine.open_files),
        Check("cluster", machine.cluster),
        *([Check("ray", machine.ray_start)] if starts_ray else []),
    ]
