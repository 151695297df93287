"""`graft zoo`: the pretrained networks that a job can name."""

from typing import Annotated, Any

import typer

from graft.cli.help import show_overview
from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.spec.messages.counting import counted

app = typer.Typer(
    help="Pretrained networks: which there are, what they are, and their weights.", invoke_without_command=True
)

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]…", help="Backbones as a job names them.", show_default=False),
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A backbone as a job names it.", show_default=False)]
_OTHERS = "also timm:NAME, torchvision:NAME, hf:FOLDER or NAME, local:LIBRARY/NAME:FILE; see `graft zoo show NAME`"


@app.callback()
def _zoo(context: typer.Context) -> None:
    """Pretrained networks: which there are, what they are, and their weights."""
    show_overview(context)


@app.command("ls")
def ls(names: NamesArgument = None, as_json: JsonOption = False) -> None:
    """List the backbones that need no colon, or those that are named, and whether their weights are here.

    Example: graft zoo ls

    Example: graft zoo ls efficientnet_lite0 timm:convnext_tiny.fb_in22k
    """
    from dataclasses import asdict

    from graft.cli.output.tables import print_table
    from graft.pipeline.zoo.facts import listed

    rows = listed(tuple(names or ()))
    if as_json:
        tell_json({"backbones": [asdict(row) for row in rows]})
        return
    print_table(
        ["name", "samples", "parameters", "blocks", "size", "licence", "weights"],
        [
            [
                row.name,
                _text(row.modality),
                _millions(row.params),
                _text(row.blocks),
                _text(row.native_size),
                _text(row.licence),
                row.problem or "here",
            ]
            for row in rows
        ],
        numbers=("parameters", "blocks", "size"),
    )
    tell(_OTHERS)


@app.command("show")
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show what a backbone takes, where its weights are, and what each of its blocks costs.

    Example: graft zoo show efficientnet_lite0
    """
    from graft.pipeline.zoo.facts import shown

    facts = shown(name)
    if as_json:
        tell_json(facts)
        return
    _tell_facts(facts)


@app.command("map")
def map_weights(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A backbone, a file or folder of weights, a bundle, an experiment, or models:/NAME.",
            show_default=False,
        ),
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A backbone as a job names it.", show_default=False)],
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=1, help="Of the inputs: pixels a side, tokens. The bundle's, or native, without it."
        ),
    ] = None,
    min_coverage: Annotated[
        float,
        typer.Option("--min-coverage", min=0, max=1, help="Share of the target's parameters that must be filled."),
    ] = 0.5,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill a backbone with the weights of another network, tell what fits, and compare what both make of real samples.

    Nothing is written: a job asks for it by `init: {kind: mapped, source: SOURCE}`.

    Example: graft zoo map efficientnet_lite0 timm:tf_efficientnet_lite1 --size 96

    Example: graft zoo map models:/photos@champion efficientnet_lite0
    """
    from graft.core.storage import Home
    from graft.pipeline.zoo.mapped import try_mapping

    tried = try_mapping(source, target, size, min_coverage, Home.find(home))
    if as_json:
        tell_json(tried.to_json())
        return
    tell(f"{tried.source} → {tried.target} at size {tried.size}", *tried.lines)
    for name in tried.report["reshaped"]:
        tell(f"reshaped    {name}  {tried.report['how'][name]}")
    for what in ("missing", "unexpected"):
        tell(*(f"{what:11} {name}" for name in tried.report[what]))


@app.command("pull")
def pull(
    name: NameArgument,
    force: Annotated[bool, typer.Option("--force", help="Fetch them anew, whatever is here.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch the weights of a backbone from its hub: the only command of graft that uses a network for them.

    They go to the library's own cache, where jobs find them.

    Example: graft zoo pull timm:mobilenetv4_conv_small.e2400_r224_in1k
    """
    from graft.pipeline.zoo.weights import pull as pull_weights

    is_new, files = pull_weights(name, force)
    if as_json:
        tell_json({"name": name, "fetched": is_new, "files": [one.to_dict() for one in files]})
        return
    for one in files:
        tell(f"{one.file.path}  {one.file.bytes / 1e6:.1f} MB  {one.digest[:12]}")
    tell(f"{name}: {'fetched' if is_new else 'was here already'}; a job names it `backbone: {name}`")


@app.command("verify")
def verify(names: NamesArgument = None, as_json: JsonOption = False) -> None:
    """Read weights, and compare them with the digests that their sources state; exit code 1 if any are others.

    Without a name, all weights of backbones that need no colon. A file of your own is compared with the digest in
    FILE.sha256 beside it, if there is one.

    Example: graft zoo verify efficientnet_lite0
    """
    from graft.pipeline.zoo.weights import ready_names
    from graft.pipeline.zoo.weights import verify as verify_weights

    checked = [one for name in names or ready_names() for one in verify_weights(name)]
    damaged = [one for one in checked if one.problem]
    if as_json:
        tell_json({"files": [one.to_dict() for one in checked], "damaged": len(damaged)})
    else:
        for one in checked:
            state = one.problem or ("as stated" if one.file.stated else "nobody states a digest")
            tell(f"{one.name}  {one.file.path.name}  {one.digest[:12]}  {state}")
        tell(f"{counted(len(checked), 'file')} read, {len(damaged) or 'none'} not what is meant")
    if damaged:
        raise typer.Exit(1)


def _tell_facts(facts: dict[str, Any]) -> None:
    from graft.cli.output.tables import print_table

    known = [("name", facts["name"]), ("architecture", facts["architecture"]), ("samples", facts["modality"])]
    known += [("size", f"{facts['native_size']}"), ("licence", _text(facts["licence"]))]
    known += [("weights", facts["problem"] or "here")]
    known += [("file", f"{one['path']}  {one['digest'] or 'no digest stated'}") for one in facts["files"]]
    for group in ("preprocessing", "tokenizer"):
        if told := facts.get(group):
            known.append((group, ", ".join(f"{key} {value}" for key, value in told.items())))
    known.append(("cost", f"{facts['multiply_adds'] / 1e6:,.1f} M multiply-adds at size {facts['counted_size']}"))
    for key, value in known:
        tell(f"{key:14} {value}")
    total = facts["multiply_adds"] or 1
    print_table(
        ["cut", "parameters above", "multiply-adds above", "share"],
        [
            [
                str(one["cut"]),
                f"{one['above']['params']:,}",
                f"{one['above']['multiply_adds']:,}",
                f"{one['above']['multiply_adds'] / total:.3f}",
            ]
            for one in facts["cuts"]
        ],
        numbers=("cut", "parameters above", "multiply-adds above", "share"),
    )


def _text(value: object) -> str:
    return "?" if value is None else str(value)


def _millions(value: int | None) -> str:
    return "?" if value is None else f"{value / 1e6:.1f} M"
