"""`graft memory recommend`: what to try first on a job's data."""

import time
from typing import Annotated, Any

import typer

from graft.cli.memory.held import PlaceOption
from graft.cli.options import HomeOption, JobArgument, JsonOption, SetOption
from graft.cli.output.tell import tell, tell_json


def recommend(
    job: JobArgument,
    count: Annotated[int, typer.Option("-k", min=1, max=100, help="How many strategies.")] = 5,
    override: SetOption = None,
    home: HomeOption = None,
    place: PlaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recommend strategies of a job's space, the first to try first, each with its reason. Nothing is trained.

    They are what a search with `search.searcher: meta` begins with. Where the memory knows nothing of tasks like this
    one, they are those that graft ships (`search.first`), then the first draws of the search, and that is said.

    Example: graft memory recommend jobs/digits.yaml -k 3
    """
    from graft.core.storage import Home
    from graft.pipeline.look import overview_of
    from graft.pipeline.memory.beginning import entry_by_size, largest_value
    from graft.pipeline.memory.recommending import memory_of, recommendations
    from graft.pipeline.resolve import resolve_job
    from graft.spec.load import load_job_here, placed_in

    with placed_in(job, override or ()):
        resolved = resolve_job(load_job_here(job, override or ()))
    loaded = resolved.job
    overview = overview_of(loaded, resolved.listing)
    entry, largest = entry_by_size(loaded, overview), largest_value(loaded, overview)
    found = recommendations(loaded, memory_of(Home.find(home), time.time(), place), count, entry, largest)
    if as_json:
        tell_json(found)
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    from graft.cli.output.tables import print_table
    from graft.pipeline.memory.beginning import expected_end

    rows = [
        [
            str(rank),
            one["label"],
            "–" if one["below_best"] is None else f"{one['below_best']:.2f} ± {one['deviation']:.2f}",
            expected_end(one["curve"]),
            f"{one['cost']:.2g}",
            one["reason"] or "–",
        ]
        for rank, one in enumerate(found["recommendations"], start=1)
    ]
    if rows:
        print_table(["", "strategy", "below the best", f"{found['metric']}, 80 %", "cost", "why"], rows, ("", "cost"))
    tell(found["told"])
