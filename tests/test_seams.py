"""Nothing outside a modality's or a task's own rooms knows it: identifiers that name it stand nowhere else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

IMAGES = re.compile(
    r"(?i)(^|_)(images?|pixels?|resolution|channels_last|grey|rgb|jpe?g|photo)s?($|_)|^PIL$|Images?[A-Z]|^Images?$"
)
CLASSES = re.compile(
    r"(?i)(^|_)(class_?names?|classes|num_classes|class_counts?|confusion|accuracy|softmax)($|_)|^_?cross_entropy|^Classif"
)
ROOMS = {
    "images": (IMAGES, ("modalities/image", "spec/modalities/image.py")),
    # An episode is a task of classes, whatever the samples are and whatever is asked of the whole set; and labels that
    # are asked for one at a time are classes.
    "classes": (
        CLASSES,
        (
            "tasks/classification",
            "spec/tasks/classification.py",
            "episodes",
            "pipeline/episodes",
            "exploration",
            "pipeline/exploration",
        ),
    ),
}
# What may stay, and why: docs/adr/0010 says it at length. These lists only shrink.
ALLOWED: dict[str, dict[str, set[str]]] = {
    "images": {
        # Stored maps [B, C, H, W] are laid out as the blocks that made them did, or the last bits differ.
        "data/inputs.py": {"channels_last"},
        # What the samples of `graft.frame` are, as its callers name them.
        "api/frames.py": {"image", "images"},
        # A container has a key for each modality: `image: COLUMN` of a job file; the way to what lists such a table.
        "spec/modalities/container.py": {"image", "ImageSource"},
        "modalities/table.py": {"list_image_table"},
    },
    "classes": {
        # A journal's format: the name of a field that old journals have.
        "journal/events.py": {"classes"},
        "tracking/projection/experiment_run.py": {"classes"},
        # What a folder or a label file means is the source's own word, and `data.classes` is a key of job files.
        "spec/modalities/label_names.py": {"classes"},
        # timm's own argument.
        "modalities/image/backbones/timm.py": {"num_classes"},
        # Heads of one loss only are computed together: its gradient is written out there.
        "training/fused_heads.py": {"log_softmax", "_cross_entropy"},
    },
}


def identifiers(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=as_name):
                yield as_name or name.rpartition(".")[2]


@pytest.mark.parametrize("seam", ROOMS)
def test_identifiers_of_a_seam_stay_in_its_rooms(repository: Path, seam: str) -> None:
    pattern, rooms = ROOMS[seam]
    package = repository / "platform" / "graft"
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).as_posix()
        if not place.startswith(rooms):
            names = {name for name in identifiers(path) if pattern.search(name)}
            if left := names - ALLOWED[seam].get(place, set()):
                found[place] = left
    assert found == {}
