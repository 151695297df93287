"""What can happen to the MLflow server, or to the database of the embedded store."""

import contextlib
import os
from collections.abc import Callable, Iterator

from graft.chaos.environment.child import Child
from graft.chaos.environment.disks import can_mount, read_only
from graft.chaos.environment.tracking_server import Trouble
from graft.chaos.fault import Fault, require
from graft.chaos.sandbox import Place, Scene
from graft.journal import events

RELAY = "graft.tracking.relay"


def _from_the_start(trouble: Trouble) -> Callable[[Scene], str]:
    """Until the run has ended: it must not even notice, and what is missing is sent later."""

    def act(scene: Scene) -> str:
        with _trouble(scene, trouble):
            summary = _run(scene).wait().require_success().summary
            _end_relay(scene)
        require(not summary["tracking_complete"], "the run says that everything is in MLflow, which was not there")
        return "the whole run"

    return act


def _in_the_middle(trouble: Trouble) -> Callable[[Scene], str]:
    """From the first epoch until the relay has noticed; it must catch up by itself."""

    def act(scene: Scene) -> str:
        child = _run(scene)
        moment = scene.await_report(child, 1)
        with _trouble(scene, trouble):
            stage = scene.await_stage(child, "evaluate")
            scene.await_trouble(child)
        child.wait().require_success()
        return f"{moment}, until after {stage}"

    return act


def _at_the_end(scene: Scene) -> str:
    child = _run(scene)
    moment = scene.await_stage(child, "evaluate")
    with _trouble(scene, Trouble.DOWN):
        child.wait_until(lambda: scene.count(events.ExperimentFinished), "the end of the experiment")
        scene.await_trouble(child)
    child.wait().require_success()
    return f"{moment}, until after the end"


def _lose_replies(scene: Scene) -> str:
    with _trouble(scene, Trouble.LOSES_REPLIES):
        child = _run(scene)
        moment = scene.await_stage(child, "evaluate")
        scene.await_trouble(child)
    child.wait().require_success()
    return f"from the start until after {moment}"


def _write_protect(scene: Scene) -> str:
    with read_only(scene.home.database):
        summary = scene.run().wait().require_success().summary
        _end_relay(scene)
    require(not summary["tracking_complete"], "the run says that everything is in MLflow, which could not be written")
    return "the whole run"


@contextlib.contextmanager
def _trouble(scene: Scene, trouble: Trouble) -> Iterator[None]:
    server = scene.place.server
    server.set(trouble)
    try:
        yield
    finally:
        server.set(Trouble.NONE)


def _end_relay(scene: Scene) -> None:
    """It would go on for ten minutes; without it, only `graft track sync` can bring what is missing."""
    for relay in scene.processes(RELAY):
        relay.kill()


def _run(scene: Scene) -> Child:
    return scene.run(f"tracking.uri={scene.place.server.url}")


def _needs_root(place: Place) -> str:
    if os.geteuid() != 0:
        return "only root can make a file read-only for processes that have it open"
    return can_mount(place.root)


_UNAFFECTED = "the run does not wait and ends well; later everything is in MLflow, at the times it happened"

STORE_FAULTS = (
    Fault(
        "mlflow-down-at-start",
        "the MLflow server is down from start to end, then the relay is killed; `graft track sync` follows",
        _UNAFFECTED,
        _from_the_start(Trouble.DOWN),
    ),
    Fault(
        "mlflow-down-in-the-middle",
        "the MLflow server is down from the first epoch to the evaluation or longer, until that is noticed",
        _UNAFFECTED,
        _in_the_middle(Trouble.DOWN),
    ),
    Fault(
        "mlflow-down-at-end",
        "the MLflow server is down from the evaluation to the last record or longer, until that is noticed",
        _UNAFFECTED,
        _at_the_end,
    ),
    Fault(
        "mlflow-errors",
        "the MLflow server answers 500 from the first epoch to the evaluation or longer, until that is noticed",
        _UNAFFECTED,
        _in_the_middle(Trouble.ERRORS),
    ),
    Fault(
        "mlflow-hangs",
        "the MLflow server takes requests and never answers, from the first epoch until that is noticed",
        _UNAFFECTED,
        _in_the_middle(Trouble.HANGS),
    ),
    Fault(
        "mlflow-loses-answers",
        "up to the evaluation, every fourth request is carried out, and its answer is lost",
        "what is asked again is not done twice: no run and no point is doubled",
        _lose_replies,
    ),
    Fault(
        "mlflow-read-only",
        "the database of the embedded store cannot be written during the run, then the relay is killed; "
        "`graft track sync` follows",
        _UNAFFECTED,
        _write_protect,
        _needs_root,
    ),
)
