"""Seconds, recall and precision of `graft doctor` on a planted corpus: real pictures and texts, 1 % of each fault.

Pictures: emoji, clip art and Fashion-MNIST from Debian's packages (fonts-noto-color-emoji, unicode-data,
openclipart-png, dataset-fashion-mnist), unpacked into a directory as `dpkg -x` does. Texts: package descriptions and
reviews (text_sets.py).
"""

import argparse
import gzip
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from reporting import json_line, provenance, table
from tests.assets.planted import FOUND_AS, Planted
from tests.assets.planted.images import plant_images
from tests.assets.planted.texts import plant_texts
from tests.fixtures.planted import diagnose, job_of
from text_sets import deb_section, fine_foods

from graft.data.decoding.blocks import local_blocks
from graft.data.decoding.collect import collect

SIDE, FEWEST = 128, 30
Labelled = tuple[np.ndarray, str]


def fashion(root: Path) -> Iterator[Labelled]:
    """28 x 28 garments, magnified to 56: hashes want 32."""
    folder = root / "usr/share/datasets/fashion-mnist"
    pixels = np.frombuffer(gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    for one, label in zip(pixels.reshape(-1, 28, 28), labels, strict=True):
        grey = np.asarray(Image.fromarray(one).resize((56, 56), Image.Resampling.BICUBIC))
        yield np.repeat(grey[..., None], 3, axis=2), f"fashion-{label}"


def emoji(root: Path) -> Iterator[Labelled]:
    """Noto's pictures, labelled with the group that Unicode puts them in."""
    font = ImageFont.truetype(str(root / "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"), 109)
    group = ""
    for line in (root / "usr/share/unicode/emoji/emoji-test.txt").read_text().splitlines():
        if line.startswith("# group:"):
            group = re.sub(r"\W+", "-", line.removeprefix("# group:").strip())
        elif "; fully-qualified" in line and "skin tone" not in line:
            text = "".join(chr(int(code, 16)) for code in line.partition(";")[0].split())
            canvas = Image.new("RGB", (136, 128), "white")
            ImageDraw.Draw(canvas).text((0, 0), text, font=font, embedded_color=True)
            yield np.asarray(canvas.resize((SIDE, SIDE))), f"emoji-{group}"


def clip_art(root: Path) -> Iterator[Labelled]:
    """Drawings, squared on white, labelled with their folder."""
    top = root / "usr/share/openclipart/png"
    for path in sorted(top.rglob("*.png"))[::3]:
        if path.stat().st_size > 60_000:
            continue
        with Image.open(path) as picture:
            if picture.width * picture.height > 2_000_000:
                continue
            small = picture.convert("RGBA")
        small.thumbnail((SIDE, SIDE))
        canvas = Image.new("RGBA", (SIDE, SIDE), "white")
        canvas.alpha_composite(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
        yield np.asarray(canvas.convert("RGB")), f"clip-{path.relative_to(top).parts[0]}"


def pictures(root: Path, count: int) -> list[Labelled]:
    """Emoji and clip art without repeats, and garments for the rest."""
    drawn = [*islice(emoji(root), count // 3), *islice(clip_art(root), count // 3)]
    once = list({one.tobytes(): (one, label) for one, label in drawn}.values())
    sizes = Counter(label for _, label in once)
    once = [(one, label) for one, label in once if sizes[label] >= FEWEST]
    return [*once, *islice(fashion(root), count - len(once))]


def measure(planted: Planted, scratch: Path) -> dict[str, Any]:
    """CPU seconds of reading as it is without a doctor, of reading with signs, and of all checks; recall, precision."""
    wanted = job_of(planted)
    work = wanted.work
    start = time.process_time()
    found = diagnose(wanted, scratch)
    whole = time.process_time() - start
    start = time.process_time()
    found_cheap = diagnose(wanted, _emptied(scratch), {})
    cheap = time.process_time() - start
    start = time.process_time()
    with _without_signs():
        collect(work.plan, local_blocks(work), _emptied(scratch), lambda done, total: None)
    plain = time.process_time() - start
    rows = [
        (fault, FOUND_AS[fault], len(names), found.recall(planted, fault), found.precision(planted, fault))
        for fault, names in sorted(planted.faults.items())
    ]
    assert found_cheap.names.keys() <= found.names.keys()
    return {
        "records": len(work.plan.rows),
        "plain_s": plain,
        "cheap_s": cheap,
        "all_s": whole,
        "faults": rows,
        "found": {kind: len(names) for kind, names in sorted(found.names.items())},
    }


def _emptied(folder: Path) -> Path:
    for path in folder.iterdir():
        path.unlink()
    return folder


class _without_signs:  # noqa: N801 - used as a statement
    """Readers look at nothing but what a dataset keeps."""

    def __enter__(self) -> None:
        import graft.modalities.image.storage as image
        import graft.modalities.text.decode as text

        self._kept = (image, image.SignRecorder, text, text.text_signs)

        class Blind:
            def __init__(self, count: int) -> None: ...
            def see(self, *seen: Any) -> None: ...
            def signs(self) -> dict[str, np.ndarray]:
                return {}

        image.SignRecorder = Blind  # type: ignore[assignment,misc]
        text.text_signs = lambda raw, kept: {}

    def __exit__(self, *raised: object) -> None:
        image, recorder, text, signs = self._kept
        image.SignRecorder, text.text_signs = recorder, signs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="directory that the packages of pictures were unpacked into")
    parser.add_argument("texts", type=Path, help="cache of text_sets.py")
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--documents", type=int, default=10_000)
    given = parser.parse_args()
    origin, results = provenance(), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scratch").mkdir()
        some, labels = zip(*pictures(given.pictures, given.images), strict=True)
        results["images"] = measure(plant_images(folder / "pictures", some, labels), folder / "scratch")
        rows = [*deb_section(given.texts), *fine_foods(given.texts)]
        unique = list({row.text: row for row in rows}.values())[: given.documents]
        planted = plant_texts(folder / "texts.csv", [row.text for row in unique], [row.label for row in unique])
        results["texts"] = measure(planted, _emptied(folder / "scratch"))
    for sort, result in results.items():
        print(f"\n{sort}: {result['records']} records, CPU seconds: reading {result['plain_s']:.1f},")
        print(f"with signs and cheap checks {result['cheap_s']:.1f}, with all checks {result['all_s']:.1f}")
        print(table(["fault", "kind", "planted", "recall", "precision"], result["faults"]))
        print(result["found"])
    print(json_line("doctor", origin, results))


if __name__ == "__main__":
    main()
