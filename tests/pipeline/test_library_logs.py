"""What libraries warn of in a run that goes well."""

import logging
from importlib import import_module

import pytest

from graft.pipeline.library_logs import EXPECTED, without_expected_warnings


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_expected_is_dropped_and_nothing_else(name: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(name)
    with without_expected_warnings():
        logger.warning("%s for 3 trial(s)", EXPECTED[name])
        logger.warning("something is really wrong")
    logger.warning("%s again", EXPECTED[name])
    said = [record.getMessage() for record in caplog.records]
    assert said == ["something is really wrong", f"{EXPECTED[name]} again"]


def test_ray_still_says_it_so() -> None:
    """The texts are Ray's own: where they change, they have to be changed here."""
    from pathlib import Path

    import ray

    files = {name: Path(ray.__path__[0], *name.split(".")[1:]) for name in EXPECTED}
    for name, file in files.items():
        module = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        named = vars(import_module(name)).values()
        assert EXPECTED[name] in module.read_text() or EXPECTED[name] in named
