"""`graft resume`: go on with an experiment that was cut short."""

from graft.cli.options import ExperimentArgument, HomeOption, JsonOption
from graft.core.storage import Home


def command(experiment: ExperimentArgument = "latest", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Go on with an experiment that was interrupted or failed; finished stages and finished trials are kept.

    Example: graft resume digits
    """
    from graft.cli.run import run_and_report
    from graft.pipeline.experiment import Experiment

    place = Home.find(home)
    run_and_report(Experiment.find(place, experiment), place, as_json)
