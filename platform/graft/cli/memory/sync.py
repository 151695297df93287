"""`graft memory sync`: what experiments, here or of others on the MLflow server, have found and the memory lacks."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.memory.held import PlaceOption, store_of
from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import SpecError
from graft.core.storage import Home
from graft.spec.messages.counting import counted
from graft.spec.tracking.names import store_address_problem

if TYPE_CHECKING:
    from graft.experiments.task_memory.synchronise import Synchronised


def sync(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EXPERIMENT]…", help="Experiments of this home; all if left out.", show_default=False),
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Read those again that are remembered already.")] = False,
    mlflow: Annotated[
        str | None,
        typer.Option(
            "--mlflow", metavar="URI", help="Also the runs of all experiments, of anybody, in this MLflow store."
        ),
    ] = None,
    home: HomeOption = None,
    place: PlaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remember what experiments have found: also of runs that were killed, or were made before there was a memory.

    Every run does this when it ends. Doing it again changes nothing.

    Example: graft memory sync

    Example: graft memory sync --mlflow http://tracking:5000
    """
    from graft.experiments.directory import Experiment
    from graft.experiments.task_memory.synchronise import synchronise, synchronise_runs

    problem = store_address_problem(mlflow) if mlflow is not None else None
    if problem:
        raise SpecError(f"--mlflow is `{mlflow}`, but {problem}")
    found = Home.find(home)
    store = store_of(home, place)
    wanted = None if not names else [Experiment.find(found, name).name for name in names]
    done = synchronise(found, store, wanted, anew)
    others = None if mlflow is None else synchronise_runs(mlflow, store)
    if as_json:
        tell_json({**asdict(done), "mlflow": others and asdict(others), "memory": str(store.place)})
        return
    _tell_left_out(done)
    out = f"; {done.kept_out} experiments are kept out by their jobs" if done.kept_out else ""
    trials = f"{counted(done.trials, 'trial')} in {counted(done.experiments, 'experiment')}"
    tell(f"{counted(done.records, 'record')} of {trials} added{out}")
    _tell_passed_over("experiment", done)
    if others is not None:
        tell(f"{counted(others.records, 'record')} of {counted(others.trials, 'run')} of the MLflow store added")
        _tell_passed_over("run", others)


def _tell_left_out(done: "Synchronised") -> None:
    for line in (*done.damaged, *done.problems):
        tell(f"graft: {line}", err=True)


def _tell_passed_over(noun: str, done: "Synchronised") -> None:
    if done.passed_over:
        count = counted(sum(one.count for one in done.passed_over), noun)
        tell(f"{count} brought nothing; {'; '.join(map(str, done.passed_over))}")
