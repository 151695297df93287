"""Where the ranks of a process group listen."""

import os

import pytest
import torch.distributed as dist
from ray.util import get_node_ip_address

from graft.workers.groups.process_group import INTERFACE, interface_of, leave_process_group, set_up_process_group

HERE, NOBODY = "127.0.0.1", "192.0.2.1"


def test_an_address_has_an_interface_of_this_machine() -> None:
    loopback = interface_of(HERE)
    assert loopback
    assert interface_of(get_node_ip_address())
    assert interface_of(NOBODY) is None


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No interface is named, before and afterwards."""
    monkeypatch.setenv(INTERFACE, "")
    monkeypatch.delenv(INTERFACE)
    return monkeypatch


def _set_up_alone() -> None:
    assert set_up_process_group("gloo", 0, 1, HERE, lambda address: address)
    assert dist.get_world_size() == 1
    leave_process_group()


def test_gloo_listens_where_the_node_is_reached(alone: pytest.MonkeyPatch) -> None:
    _set_up_alone()
    assert os.environ[INTERFACE] == interface_of(HERE)


def test_the_interface_that_the_user_has_named_stays(alone: pytest.MonkeyPatch) -> None:
    named = str(interface_of(get_node_ip_address()))
    alone.setenv(INTERFACE, named)
    _set_up_alone()
    assert os.environ[INTERFACE] == named
