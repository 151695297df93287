"""The command line: `graft COMMAND`. Heavy imports happen inside the commands, so that help answers at once."""

import logging
import os
import sys
import traceback
import warnings
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from graft.cli.assets import cache, cluster, components, doctor, features, space, zoo
from graft.cli.help import command_line, named_command, show_overview
from graft.cli.interruption import exit_code_of_interruption, hear_termination
from graft.cli.jobs import (
    chaos,
    explore,
    fewshot,
    init,
    meta_train,
    plan,
    predict,
    resume,
    run,
    schema,
    serve,
    submit,
    submitted,
    validate,
)
from graft.cli.memory import app as memory
from graft.cli.output.tell import tell, tell_json
from graft.cli.output.unfailing import final_exit_code, guard_standard_streams
from graft.cli.records import compare, experiments, journal, leaderboard, lineage, status, track, ui, watch
from graft.cli.shadowing import shadowing
from graft.core.credentials import RedactingFormatter, redact
from graft.core.errors import GraftError, Interrupted, ResourceError, SpecError
from graft.core.machine_faults import machine_fault
from graft.core.process_identity import user_name

EXAMPLES = """
Examples:
  graft init photos                    look at your data, write the job
  graft run jobs/digits.yaml           search, fit, score, register
  graft validate my_job.yaml           every mistake of a job, at once
  graft watch latest                   follow a run from elsewhere
  graft leaderboard latest             which strategy won, and why
  graft predict models:/digits p.png   labels with probabilities
  graft fewshot mushrooms              a model of a few samples a class
  graft doctor --install               is all here that a job needs?
  graft components penalty             what a job can name
  graft memory ls                      what earlier tasks have taught
  graft ui                             which strategy wins, in MLflow

Exit codes: 0 done, 2 your file or data is wrong, 3 a resource is missing,
4 the doctor found what `data.clean` sets to `fail`, 130 Ctrl-C,
143 SIGTERM, 1 anything else.
"""

_ASKS_FOR_HELP = frozenset({"-h", "--help"})
LEAST_WIDTH = 20
"""Letters in a line; what says less is no width of a terminal."""

# What typer returns for a Ctrl-C that it has caught.
CTRL_C = 130

app = typer.Typer(
    help="Adapts pretrained models to your own data, automatically, on a laptop or a Ray cluster.",
    epilog=EXAMPLES,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.command)
app.command("run")(run.command)
app.command("resume")(resume.command)
app.command("fewshot")(fewshot.command)
app.command("submit")(submit.command)
app.add_typer(submitted.app, name="jobs")
app.command("validate")(validate.command)
app.command("plan")(plan.command)
app.command("meta-train")(meta_train.command)
app.command("status")(status.command)
app.command("watch")(watch.command)
app.command("leaderboard")(leaderboard.command)
app.command("lineage")(lineage.command)
app.command("compare")(compare.command)
app.command("chaos")(chaos.command)
app.command("experiments")(experiments.command)
app.command("explore")(explore.command)
app.command("predict")(predict.command)
app.command("serve")(serve.command)
app.command("ui")(ui.command)
app.command("components")(components.command)
app.command("features")(features.command)
app.command("doctor")(doctor.command)
app.command("schema")(schema.command)
app.add_typer(zoo.app, name="zoo")
app.add_typer(space.app, name="space")
app.add_typer(cache.app, name="cache")
app.add_typer(cluster.app, name="cluster")
app.add_typer(memory.app, name="memory")
app.add_typer(track.app, name="track")
app.add_typer(journal.app, name="journal")


def _show_version(is_asked: bool) -> None:
    if is_asked:
        tell(f"graft {version('graft')}")
        raise typer.Exit


@app.callback()
def _graft(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    is_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Adapts pretrained models to your own data, automatically, on a laptop or a Ray cluster."""
    show_overview(context)
    if not _ASKS_FOR_HELP & {*sys.argv}:
        _require_working_directory()
        _require_docstrings()


def _require_working_directory() -> None:
    """Libraries die without one, each in its own words."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        told = "the working directory has been deleted; change to one that is there (cd), and run again"
        raise ResourceError(told) from error


def _require_docstrings() -> None:
    """Ray builds its classes out of them."""
    if sys.flags.optimize > 1:
        told = "Python is told to drop docstrings (PYTHONOPTIMIZE=2 or -OO), which libraries need to be loaded"
        raise ResourceError(f"{told}; unset it, or set it to 1, and run again")


def main() -> None:
    """Run the command that the arguments of this process name, and raise `SystemExit` with its exit code."""
    guard_standard_streams()
    hear_termination()
    _forget_odd_width()
    _forget_strict_warnings()
    _stand_in_for_passwd()
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(RedactingFormatter())
    try:
        _run()
    except SystemExit as end:
        raise SystemExit(final_exit_code(int(end.code or 0))) from None


def _forget_odd_width() -> None:
    """Some shells say that a line has no letters, or one: nothing would be seen of a table."""
    width = os.environ.get("COLUMNS", "")
    if not (width.isdecimal() and int(width) >= LEAST_WIDTH):
        os.environ.pop("COLUMNS", None)


def _forget_strict_warnings() -> None:
    """In some shells a warning ends a program (PYTHONWARNINGS=error), though it be that of a library."""
    if any("error" in option for option in sys.warnoptions):
        os.environ.pop("PYTHONWARNINGS", None)  # of the processes that are started from here
        sys.warnoptions.clear()
        warnings.resetwarnings()
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)  # as Python has it by itself


def _stand_in_for_passwd() -> None:
    """Libraries die where a user is a number without name and home directory, as in many containers."""
    os.environ.setdefault("LOGNAME", user_name())
    if os.path.expanduser("~") == "~":
        os.environ["HOME"] = "/"  # as container runtimes have it


def _run() -> NoReturn:
    try:
        code = command_line(app)(prog_name="graft", standalone_mode=False)
    except Interrupted as error:
        _leave(error, str(error), exit_code_of_interruption())
    except GraftError as error:
        _leave(error, str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort) as error:
        if isinstance(error.__cause__, EOFError):  # typer takes a file that ends too soon for a user who has gone
            _leave(error.__cause__, *_usage_or_bug(error.__cause__))
        _leave(error, "interrupted", exit_code_of_interruption())
    except SystemExit as end:
        if isinstance(end.code, str):  # no command ends so, but a module that is none of ours may
            _leave(end, *_usage_or_bug(end))
        raise
    except Exception as error:  # the one place where a bug becomes a line instead of a traceback
        _leave(error, *_usage_or_bug(error))
    if code == CTRL_C:
        _leave(KeyboardInterrupt(), "interrupted", exit_code_of_interruption())
    raise SystemExit(code)


def _usage_or_bug(error: Exception | SystemExit) -> tuple[str, int]:
    # A wrong option or a missing argument: typer's error types are private, what they can do is not.
    message = getattr(error, "format_message", None)
    if message is not None:
        asked = " ".join(["graft", *named_command(typer.main.get_command(app), sys.argv[1:])])
        return f"{message().rstrip('.')}; see `{asked} --help`", int(getattr(error, "exit_code", 2))
    fault = machine_fault(error)
    if fault is not None:
        return fault, ResourceError.exit_code
    if told := shadowing(error):
        return told, ResourceError.exit_code
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"internal error: {what}; please report it with the output of `graft --debug …`", 1


def _leave(error: BaseException, message: str, exit_code: int) -> NoReturn:
    message = redact(message)  # a library's error may hold an address with its login
    if "--debug" in sys.argv:
        tell(*redact("".join(traceback.format_exception(error))).splitlines(), err=True)
    problems = [str(problem) for problem in error.problems] if isinstance(error, SpecError) else [message]
    if "--json" in sys.argv or _logs_json():
        tell_json({"status": "failed", "exit_code": exit_code, "error": message, "problems": problems})
    else:
        tell(*(f"graft: {problem}" for problem in problems), err=True)
    raise SystemExit(exit_code)


def _logs_json() -> bool:
    """Whether all that a run prints is to be JSON: its log is."""
    if sys.argv[1:2] not in (["run"], ["resume"]):
        return False
    arguments = " ".join(sys.argv).replace("--log-format ", "--log-format=")
    default = os.environ.get("GRAFT_LOG_FORMAT", "")
    return "--log-format=json" in arguments or (default == "json" and "--log-format=" not in arguments)
