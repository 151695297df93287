"""`graft doctor`: is everything here that a job needs?"""

import json
from typing import Annotated

import typer

from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell


def command(
    install: Annotated[bool, typer.Option("--install", help="Check what is installed, and this machine.")] = False,
    start_ray: Annotated[
        bool, typer.Option("--start-ray", help="Also start Ray once, and say how long it takes.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the installation: a line a check, `ok`, `note` or `broken`, with what to do. Exit code 3 if one is broken.

    Example: graft doctor --install

    Example: graft doctor --install --start-ray
    """
    from graft.core.errors import ResourceError, SpecError
    from graft.core.storage import Home
    from graft.pipeline.installation.all_checks import all_checks
    from graft.pipeline.installation.check import answered

    if not install:
        raise SpecError("graft doctor has nothing to check, but must be told what; try `graft doctor --install`")
    findings = []
    for finding in answered(all_checks(Home.find(home), start_ray)):
        findings.append(finding)
        if not as_json:
            tell(str(finding))
    broken = [finding.name for finding in findings if finding.state == "broken"]
    if as_json:
        checks = [finding.to_dict() for finding in findings]
        tell(json.dumps({"status": "broken" if broken else "ok", "checks": checks}))
    elif not broken:
        tell("everything is here that a job needs")
    if broken and as_json:
        raise typer.Exit(ResourceError.exit_code)
    if broken:
        raise ResourceError(f"{', '.join(broken)} {'is' if len(broken) == 1 else 'are'} broken; see above what to do")
