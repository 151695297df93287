"""Nodes that an autoscaler starts and ends on this machine: Ray's fake provider, as one that is no part of Ray.

By its own name (`fake_multinode`) Ray looks for an example file that its wheel does not hold (Ray 2.60).
"""

from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider


class FakeNodes(FakeMultiNodeProvider):
    """Each node is a raylet with the resources that its type declares, real or not."""
