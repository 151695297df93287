"""`graft doctor`: what is wrong with some data, or with what is installed?"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.options import HomeOption, JsonOption, SetOption, output_path
from graft.cli.output.looking import PATIENCE_S
from graft.cli.output.tell import tell, tell_json
from graft.cli.output.waiting import telling_long_wait

if TYPE_CHECKING:
    from graft.core.storage import Home
    from graft.doctor.report import Report

FAILED = 4
"""Exit code: the data have what `data.clean` does not accept."""


def command(
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[JOB|PATH]", help="A job file, or a folder or table of samples to examine.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            parser=output_path,
            metavar="FILE",
            help="Write a page with pictures; beside it JSON and what is left out.",
        ),
    ] = None,
    override: SetOption = None,
    install: Annotated[bool, typer.Option("--install", help="Check what is installed, and this machine.")] = False,
    start_ray: Annotated[
        bool, typer.Option("--start-ray", help="Also start Ray once, and say how long it takes.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine data before anybody learns from it; or check the installation. Exit code 4 if a finding is set to fail.

    Example: graft doctor photos --html photos.html

    Example: graft doctor jobs/digits.yaml --set data.clean.duplicate=fail --json

    Example: graft doctor --install --start-ray
    """
    from graft.core.errors import SpecError
    from graft.core.storage import Home

    place = Home.find(home)
    if install:
        if data is not None or html is not None:
            raise SpecError("--install checks this machine and takes no data; give one of the two")
        _check_installation(place, start_ray, as_json)
    elif data is None:
        raise SpecError("graft doctor has nothing to check; name a job, a folder or a table, or try --install")
    else:
        _examine(data, override or [], place, as_json, html)


def _examine(data: Path, overrides: list[str], home: "Home", as_json: bool, html: Path | None) -> None:
    from graft.cli.output.captured_output import chatter_to
    from graft.cli.output.examination import advancing, report_lines
    from graft.doctor.files import write_beside
    from graft.pipeline.examination.examine import examine, unexamined
    from graft.pipeline.resolve import resolve_job
    from graft.spec.load import is_job_file, load_job_here, parse_job, placed_in

    if is_job_file(data):
        given = load_job_here(data, overrides)
    else:
        from graft.pipeline.draft.first_look import first_look

        given = parse_job(first_look(data, overrides), overrides)
    with placed_in(data, overrides):
        resolved = resolve_job(given, by_size=False)
    wanted = unexamined(resolved.job, resolved.listing)
    home.require_writable()
    # What Ray prints is of no use here: what goes wrong is raised.
    with (
        tempfile.TemporaryDirectory() as scratch,
        chatter_to(Path(scratch, "log")) as terminal,
        advancing(terminal.err, f"{resolved.job.data.modality}s") as progress,
    ):
        report = examine(wanted, home.datasets, progress)
    if html is not None:
        write_beside(report, html)
    _tell(report, as_json, report_lines(report))
    if report.failing:
        raise typer.Exit(FAILED)


def _tell(report: "Report", as_json: bool, lines: list[str]) -> None:
    if as_json:
        tell_json(report.in_short())
    else:
        tell(*lines)


def _check_installation(home: "Home", start_ray: bool, as_json: bool) -> None:
    """A line a check, `ok`, `note` or `broken`, with what to do; exit code 3 if one is broken."""
    from graft.core.errors import ResourceError
    from graft.pipeline.installation.all_checks import all_checks
    from graft.pipeline.installation.check import answered

    findings = []
    for check in all_checks(home, start_ray):
        with telling_long_wait(f"checking {check.name}", PATIENCE_S):
            (finding,) = answered([check])
        findings.append(finding)
        if not as_json:
            tell(str(finding))
    broken = [finding.name for finding in findings if finding.state == "broken"]
    if as_json:
        checks = [finding.to_dict() for finding in findings]
        tell_json({"status": "broken" if broken else "ok", "checks": checks})
    elif not broken:
        tell("everything is here that a job needs")
    if broken and as_json:
        raise typer.Exit(ResourceError.exit_code)
    if broken:
        raise ResourceError(f"{', '.join(broken)} {'is' if len(broken) == 1 else 'are'} broken; see above what to do")
