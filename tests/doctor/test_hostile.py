"""Broken and hostile files: each gives a finding, or is read as what it is; nobody dies, memory is bounded."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.assets.planted.hostile import hostile_images, hostile_texts
from tests.doctor.test_planted import document, shape

MEMORY = 2 << 30
"""Bytes that may be resident at the most: imports alone take more than half a gigabyte."""
READ = {
    "images": {"archive_behind.png", "size_lies.jpg", "circle.tiff", "scratched.webp"},
    "texts": {"separators.txt", "returns.txt", "noncharacters.txt", "stacked.txt", "at_storm.txt", "marked_twice.txt"}
    | {"long_word.txt", "tag_storm.txt", "digit_storm.txt", "long_line.txt"},
}
"""What is odd, but no fault of what is read."""

SCRIPT = """
import json, resource, sys
from pathlib import Path
from tests.assets.planted import Planted
from tests.fixtures.planted import diagnose, job_of
kind, root, scratch = sys.argv[1:]
wanted = job_of(Planted(Path(root), {}), kind=kind)
found = diagnose(wanted, Path(scratch), {})
print(json.dumps({
    "names": {kind: sorted(names) for kind, names in found.names.items()},
    "ignored": [str(one) for one in wanted.work.plan.listing.ignored],
    "reasons": found.details,
    "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
"""


def examined(sort: str, tmp_path: Path, repository: Path) -> tuple[dict[str, Any], set[str]]:
    files = dict({"images": hostile_images, "texts": hostile_texts}[sort]())
    root, suffix = tmp_path / "corpus", {"images": "png", "texts": "txt"}[sort]
    for label in ("good", "hostile"):
        (root / label).mkdir(parents=True)
        for number in range(12):
            path = root / label / f"good{number}.{suffix}"
            if sort == "images":
                Image.fromarray(shape(number + 50 * (label == "good"))[0]).save(path)
            else:
                path.write_text(document(number + 50 * (label == "good"))[0])
    for name, content in files.items():
        (root / "hostile" / name).write_bytes(content)
    (tmp_path / "scratch").mkdir()
    kind = {"images": "image_folder", "texts": "text_folder"}[sort]
    environment = {**os.environ, "PYTHONPATH": f"{repository / 'platform'}:{repository}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(root), str(tmp_path / "scratch")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1]), set(files)


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["images", "texts"])
def test_hostile_files(sort: str, tmp_path: Path, repository: Path) -> None:
    told, files = examined(sort, tmp_path, repository)
    named = {Path(name).name for names in told["names"].values() for name in names}
    assert len(files) >= 35
    assert files - named - READ[sort] == set()
    assert told["resident"] < MEMORY


def test_there_are_enough() -> None:
    assert len([*hostile_images(), *hostile_texts()]) >= 80
