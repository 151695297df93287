"""What a shell offers when the user presses the tab key."""

from collections.abc import Iterator

import typer

from graft.core.storage import Home


def experiment_names(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Names that an experiment can be given by, newest first: ``latest``, jobs, experiments."""
    from graft.experiments.directory import recorded

    home: str | None = context.params.get("home")
    place = Home.find(home)
    experiments = recorded(place)
    known = [
        *(["latest"] if experiments else []),
        *(one.job_name for one in experiments),
        *(one.name for one in experiments),
    ]
    return (name for name in dict.fromkeys(known) if name.startswith(incomplete))
