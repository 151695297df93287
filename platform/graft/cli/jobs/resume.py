"""`graft resume`: go on with an experiment that was cut short."""

from typing import Annotated

import typer

from graft.cli.options import ExperimentArgument, HomeOption, JsonOption, LogFormat, LogFormatOption, SetOption
from graft.core.errors import SpecError
from graft.core.storage import Home


def command(
    experiment: ExperimentArgument = "latest",
    retry_errored: Annotated[
        bool, typer.Option("--retry-errored", help="Try the trials that have failed again, and finish anew.")
    ] = False,
    override: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Go on with an experiment that was interrupted or failed; finished stages and finished trials are kept.

    The time that earlier runs have spent counts: give more with --set, which takes the limits of search.budget and
    what is kept.

    Example: graft resume digits

    Example: graft resume digits --retry-errored --set search.budget.minutes=30
    """
    from graft.cli.jobs.run import Manner, run_and_report
    from graft.experiments.directory import Experiment, meta_trainings
    from graft.experiments.resume import change_job

    place = Home.find(home)
    if training := next((one for one in meta_trainings(place) if one.name == experiment), None):
        raise SpecError(f"experiment is `{experiment}`, a meta-training; it goes on by `{training.goes_on_by}`")
    found = Experiment.find(place, experiment)
    if override:
        change_job(found, override)
    manner = Manner.of(as_json, log_format)
    manner.say(f"resuming {found.name}")  # what goes on with it takes seconds to import
    run_and_report(found, place, manner, retry_errored)
