"""`graft predict`: what a model says of samples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.options import HomeOption, JsonOption, output_path
from graft.cli.output.tell import tell, tell_json
from graft.cli.output.waiting import telling_long_wait
from graft.core.storage import Home
from graft.spec.messages.counting import counted

if TYPE_CHECKING:
    from graft.serving.prediction import Prediction
    from graft.serving.predictor import Predictor

TOP = 3


def command(  # noqa: PLR0913 - each is an option
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A bundle, an experiment, or models:/name.")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH…", help="Files, folders of them, or tables that name or hold them."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="TEXT", help="A text, for a model of texts; may be repeated.")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Give the probability of every class or label.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=output_path,
            metavar="FILE",
            help="Write to a .csv, .parquet or .jsonl file instead.",
        ),
    ] = None,
    tta: Annotated[
        int, typer.Option("--tta", metavar="N", min=1, max=32, help="Average over N views of each sample.")
    ] = 1,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict: a label with its probability, a value with its interval, or all labels that apply.

    Example: graft predict models:/digits photo.png more_photos/

    Example: graft predict reviews new_reviews.csv --output answers.csv --probabilities

    Example: graft predict photos new/ --tta 4

    Example: graft predict reviews --text "Arrived late, but works."
    """
    from graft.cli.output.predictions_file import writer_for
    from graft.core.errors import Problem, SpecError
    from graft.core.uris import is_there
    from graft.data.overview import told_ignored
    from graft.experiments.find_bundle import find_bundle
    from graft.modalities.finding import Found

    if not paths and not text:
        raise SpecError("nothing is given to predict; name files, or give a text with --text")
    writer = writer_for(output, paths or ()) if output else None
    # Said before a model is loaded, which may have to be fetched first.
    missing = [path for path in paths or () if not is_there(path)]
    if missing:
        raise SpecError([Problem("", f"{path} {_why_missing(path)}") for path in missing])
    with telling_long_wait(f"looking for {model}"):
        bundle = find_bundle(model, Home.find(home))
    from graft.serving.predictor import Predictor  # torch takes seconds, which a model that is not there need not cost

    predictor = Predictor.from_directory(bundle, tta)
    if text and predictor.modality.name != "text":
        raise SpecError(f"--text is given, but {model} takes {predictor.modality.name}s; name files instead")
    found = predictor.find(paths) if paths else Found()
    predictions = predictor.predict([*found, *(text or ())])
    if output and writer:
        writer(predictor, predictions, output, probabilities)
    if as_json:
        written: dict[str, Any] = {"output": str(output)} if output else {}
        cost = predictor.cost.to_dict()
        written |= {"ignored": [one.to_dict() for one in found.ignored]} if found.ignored else {}
        written |= {name: cost for name, count in (("tta", tta), ("ensemble", cost["members"])) if count > 1}
        tell_json({"model": model, **written, "predictions": [one.to_dict() for one in predictions]})
    else:
        _tell_all(predictor, predictions, output, probabilities)
        if found.ignored:
            tell(f"left out: {told_ignored(found.ignored)}", err=True)
    if any(one.error for one in predictions):
        raise SystemExit(2)


def _why_missing(path: Path) -> str:
    from graft.core.uris import lost_scheme

    if lost_scheme(path):
        return "is an address, but only files of this machine are predicted; copy it here"
    hint = "; a text itself is given with --text" if " " in str(path) else ""
    return f"does not exist; name a file, a folder or a table{hint}"


def _tell_all(predictor: "Predictor", predictions: "list[Prediction]", output: Path | None, everything: bool) -> None:
    if output:
        unread = sum(one.error is not None for one in predictions)
        without = f", {unread:,} without an answer" if unread else ""
        tell(f"{counted(len(predictions), 'prediction')} in {output}{without}")
    else:
        for one in predictions:
            tell(f"{one.source}: {one.error or _told(one, everything)}")
    cost = predictor.cost.to_dict()
    if cost["members"] > 1:
        told = f"{cost['ms_plain']:.3g} ms a sample instead of {cost['ms_first']:.3g}"
        tell(f"{cost['members']} networks answer: {told}", err=True)
    if cost["views"] > 1:
        tell(f"{cost['views']} views a sample: {cost['ms']:.3g} ms instead of {cost['ms_plain']:.3g}", err=True)


def _told(one: Any, everything: bool) -> str:
    """An answer on a line."""
    best = sorted(one.probabilities.items(), key=lambda item: -item[1])
    # Names may be numbers themselves.
    chances = ", ".join(f"{name} ({value:.3f})" for name, value in (best if everything else best[:TOP]))
    if "label" in one.answer:
        return chances
    columns = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in one.answer.items()}
    told = ", ".join(f"{name} {value or '(none)'}" for name, value in columns.items())
    return f"{told}; {chances}" if everything and chances else told
