"""The arguments of a service: as `args` of Serve's configuration, and as `--set` of the command line."""

import pytest

from graft.core.errors import SpecError
from graft.spec.service import parse_service


def test_a_model_alone_is_a_service() -> None:
    service = parse_service({"model": "models:/digits/3"})
    assert (service.model, service.min_replicas) == ("models:/digits/3", 1)


def test_the_command_line_overrides_what_is_given() -> None:
    service = parse_service({"model": "m", "batch_size": 8}, ["batch_size=64", "cpus=0.5", "batch_size=16"])
    assert (service.batch_size, service.cpus) == (16, 0.5)


@pytest.mark.parametrize(
    ("raw", "overrides", "told"),
    [
        ({}, [], "model: is missing"),
        ({"model": "m", "batch": 8}, [], "batch"),
        ({"model": "m", "batch_size": 0}, [], "batch_size: is 0, but must be between 1 and 4096"),
        ({"model": "m"}, ["batch_size=many"], "--set batch_size"),
        ({"model": "m"}, ["batch_size"], "--set is `batch_size`|must be a dotted key and a value"),
        ({"model": "m", "min_replicas": 5}, [], "max_replicas: is 4, but must be >= min_replicas, which is 5"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(raw: dict[str, object], overrides: list[str], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        parse_service(raw, overrides)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        parse_service({"model": "m", "cpus": -1}, ["batch_size", "waiting=0"])
    assert [one.where for one in caught.value.problems] == ["--set", "cpus", "--set waiting"]
