"""Ray takes the handler of SIGTERM as it starts; a program that has its own keeps it."""

import signal
from collections.abc import Callable, Iterator

import pytest

from graft.pipeline.watchers import own_termination


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def ray_starts() -> Callable[[], object]:
    """What Ray 2.60 does to the handler."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(1)

    return lambda: signal.signal(signal.SIGTERM, end)


def test_a_handler_is_put_back(ray_starts):
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    with own_termination():
        ray_starts()
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_a_program_without_one_is_left_with_that_of_ray(ray_starts):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with own_termination():
        ray_starts()
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)


def test_what_ray_hears_as_it_starts_is_an_interruption_too(ray_starts):
    heard: list[int] = []

    def own(number: int, frame: object) -> None:
        heard.append(number)

    signal.signal(signal.SIGTERM, own)

    def start() -> None:
        with own_termination():
            ray_starts()
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        start()
    assert heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is own
