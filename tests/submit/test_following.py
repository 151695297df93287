"""A job is followed through the drivers that it takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from tests.submit.test_jobs import Details, Notebook
from tests.submit.test_restarts import LOST, job

from graft.core.errors import ResourceError
from graft.submit import following
from graft.submit.following import follow
from graft.submit.jobs import find_job


@dataclass
class Talking(Notebook):
    """A cluster whose jobs print their names; when one has, something happens."""

    then: dict[str, Callable[[], None]] = field(default_factory=dict)

    def follow(self, name: str, tell: Callable[[str], None]) -> Iterator[str]:
        yield name
        self.then.get(name, lambda: None)()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_S", 0.0)
    monkeypatch.setattr(following, "ENDED_WITHIN_S", 0.05)
    monkeypatch.setattr(following, "AGAIN_WITHIN_S", 0.05)


def followed(cluster: Talking) -> tuple[str, list[str], list[str]]:
    shown: list[str] = []
    told: list[str] = []
    ended = follow(cluster, find_job(cluster, "mine"), shown.append, told.append)
    return ended.job_id, shown, told


def test_a_job_that_ends_is_followed_to_its_end() -> None:
    cluster = Talking(found=[job(0, "SUCCEEDED")])
    assert followed(cluster) == ("graft-mine", ["graft-mine"], [])


def test_the_driver_after_one_that_lost_its_node_is_followed_too() -> None:
    cluster = Talking(found=[job(0, "RUNNING")])

    def lose() -> None:
        cluster.found = [job(0, "FAILED", LOST), job(1, "SUCCEEDED")]

    cluster.then["graft-mine"] = lose
    assert followed(cluster) == (
        "graft-mine-r1",
        ["graft-mine", "graft-mine-r1"],
        [
            "graft-mine: its driver died with its node; waiting for another one",
            "graft-mine: its node is gone; mine goes on as graft-mine-r1",
        ],
    )


def test_a_log_that_is_gone_with_its_node_is_no_reason_to_give_up() -> None:
    cluster = Talking(found=[job(0, "RUNNING")])

    def lose() -> None:
        cluster.found = [job(0, "FAILED", LOST), job(1, "SUCCEEDED")]
        raise ResourceError("no log")

    cluster.then["graft-mine"] = lose
    assert followed(cluster)[0] == "graft-mine-r1"


def test_a_log_that_breaks_off_is_taken_up_where_it_was() -> None:
    class Breaking(Talking):
        asked = 0

        def follow(self, name: str, tell: Callable[[str], None]) -> Iterator[str]:
            self.asked += 1
            yield from ["one", "two", "three"][: self.asked + 1]
            if self.asked == 2:
                self.found = [job(0, "SUCCEEDED")]

    cluster = Breaking(found=[job(0, "RUNNING")])
    assert followed(cluster) == ("graft-mine", ["one", "two", "three"], [])


def test_nobody_waits_for_ever_for_another_driver() -> None:
    assert followed(Talking(found=[job(0, "FAILED", LOST)]))[0] == "graft-mine"


def test_a_cluster_that_does_not_answer_any_more_is_an_error() -> None:
    cluster = Talking(found=[Details("graft-mine", {"experiment": "mine"})])

    def lose() -> None:
        raise ResourceError("no answer")

    cluster.then["graft-mine"] = lose
    with pytest.raises(ResourceError, match="no answer"):
        followed(cluster)
