"""`graft memory`: what earlier tasks gave, and what the next one makes of it."""

import typer

from graft.cli.help import show_overview
from graft.cli.memory import contents, evaluating, files, recommending, similarity, sync

app = typer.Typer(
    help="What earlier tasks gave: kept by every run, read by every search. GRAFT_MEMORY says where it lies.",
    invoke_without_command=True,
)


@app.callback()
def _memory(context: typer.Context) -> None:
    """What earlier tasks gave: kept by every run, read by every search. GRAFT_MEMORY says where it lies."""
    show_overview(context)


app.command("ls")(contents.ls)
app.command("show")(contents.show)
app.command("forget")(contents.forget)
app.command("export")(files.export)
app.command("import")(files.import_)
app.command("evaluate")(evaluating.evaluate)
app.command("recommend")(recommending.recommend)
app.command("sync")(sync.sync)
app.command("embed")(similarity.embed)
app.command("map")(similarity.map_)
