"""Letters of 141 scripts at 28 × 28, in the way of Omniglot (Lake, Salakhutdinov & Tenenbaum, Science 2015).

Drawn from Debian's fonts-noto-core and fonts-noto-extra (OFL-1.1), which letter is of which script from unicode-data. A
class is a letter of a script; its 20 samples are of as many font files where the script has them, each with a small
random affine map and, sometimes, thicker or thinner strokes. Letters that look alike within a script are left out. The
packages are fetched once; nothing of them is committed.
"""

import hashlib
import subprocess
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageFont

PACKAGES = ("fonts-noto-core", "fonts-noto-extra", "unicode-data")
MOST, FEWEST, SAMPLES, SIDE, LARGE, ALIKE = 40, 15, 20, 28, 84, 0.95
_CATEGORIES = ("Lo", "Ll", "Lu", "Nd", "Nl")
_NO_SCRIPT = ("Common", "Inherited", "Han")
Coverage = Mapping[str, Mapping[str, list[Path]]]


@dataclass(frozen=True)
class Letters:
    """The set.

    Attributes:
        grids: uint8 [N, 28, 28]; 255 is ink.
        labels: int64 [N], the letter.
        scripts: [N], names.
        splits: [N], ``train``, ``val`` or ``test``: whole scripts.
    """

    grids: np.ndarray
    labels: np.ndarray
    scripts: np.ndarray
    splits: np.ndarray


def letters(cache: Path) -> Letters:
    """The set; made once, in about a minute."""
    file = cache / "glyphs.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _make(_unpacked(cache), file)
    found = np.load(file)
    labels = found["y"].astype(np.int64)
    return Letters(found["x"], labels, found["script"][labels], found["split"][labels])


def _unpacked(cache: Path) -> Path:
    root = cache / "unpacked"
    for package in PACKAGES:
        if not any(cache.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", "-qq", package], cwd=cache, check=True)
        subprocess.run(["dpkg", "-x", str(next(cache.glob(f"{package}_*.deb"))), str(root)], check=True)
    return root


def _make(root: Path, file: Path) -> None:
    coverage, fonts = _coverage(root), _Fonts()
    grids: list[np.ndarray] = []
    labels: list[int] = []
    scripts: list[str] = []
    counts: dict[str, int] = {}
    for script in sorted(coverage):
        kept = list(_of_script(script, coverage[script], fonts))
        if len(kept) < FEWEST:
            continue
        for samples, count in kept:
            grids += samples
            labels += [len(scripts)] * len(samples)
            scripts.append(script)
            counts[script] = max(counts.get(script, 0), count)
    part = file.with_suffix(".part.npz")
    split = np.array([_split_of(counts)[one] for one in scripts])
    np.savez_compressed(part, x=np.stack(grids), y=np.array(labels), script=np.array(scripts), split=split)
    part.replace(file)


def _split_of(counts: Mapping[str, int]) -> dict[str, str]:
    """32 scripts for the test, 8 of them of many fonts; 12 to validate; the others to train."""
    order = sorted(counts, key=lambda one: _digest(f"split{one}"))
    test = {*[one for one in order if counts[one] >= 10][:8], *[one for one in order if counts[one] < 10][:24]}
    rest = [one for one in order if one not in test]
    return dict.fromkeys(test, "test") | dict.fromkeys(rest[:12], "val") | dict.fromkeys(rest[12:], "train")


def _of_script(
    script: str, coverage: Mapping[str, list[Path]], fonts: "_Fonts"
) -> Iterator[tuple[list[np.ndarray], int]]:
    """Samples of each letter that is kept, and in how many fonts it is."""
    prototypes: list[np.ndarray] = []
    for letter in sorted(coverage, key=lambda one: _digest(script + one)):
        if len(prototypes) == MOST:
            return
        rng = np.random.RandomState(_digest(f"0{script}{letter}") % 2**32)
        files = sorted(coverage[letter], key=lambda one: (not one.name.endswith("-Regular.ttf"), str(one)))
        base = fonts.drawn(files[0], letter)
        if base is None:
            continue
        unit = np.asarray(base.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(np.float32).ravel()
        unit /= np.linalg.norm(unit) + 1e-6
        if prototypes and max(float(unit @ one) for one in prototypes) > ALIKE:
            continue
        chosen = [*rng.permutation(len(files))[:SAMPLES]]
        chosen += [*rng.randint(0, len(files), SAMPLES - len(chosen))]
        drawn = [fonts.drawn(files[place], letter) for place in chosen]
        prototypes.append(unit)
        if all(one is not None for one in drawn):
            yield [_varied(one, rng) for one in drawn if one is not None], len(files)


class _Fonts:
    """Fonts that are open."""

    def __init__(self) -> None:
        self._open: dict[Path, ImageFont.FreeTypeFont] = {}

    def drawn(self, file: Path, letter: str) -> Image.Image | None:
        """A letter in the middle of a square; None where the font leaves it blank."""
        if file not in self._open:
            if len(self._open) > 300:
                self._open.clear()
            self._open[file] = ImageFont.truetype(str(file), 64, layout_engine=ImageFont.Layout.BASIC)
        mask = self._open[file].getmask(letter, mode="L")
        width, height = mask.size
        if width < 3 or height < 3:
            return None
        ink = Image.fromarray(np.frombuffer(bytes(mask), np.uint8).reshape(height, width))
        scale = 60 / max(width, height)
        ink = ink.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BILINEAR)
        square = Image.new("L", (LARGE, LARGE), 0)
        square.paste(ink, ((LARGE - ink.width) // 2, (LARGE - ink.height) // 2))
        return square


def _varied(square: Image.Image, rng: np.random.RandomState) -> np.ndarray:
    if rng.rand() < 0.35:
        changed = square.filter(ImageFilter.MaxFilter(3) if rng.rand() < 0.6 else ImageFilter.MinFilter(3))
        if np.asarray(changed, np.float32).sum() > 0.6 * np.asarray(square, np.float32).sum():
            square = changed  # else thinner strokes would leave nothing of it
    turn, shear, (wide, high) = np.deg2rad(rng.uniform(-10, 10)), rng.uniform(-0.15, 0.15), rng.uniform(0.85, 1.12, 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotation @ np.array([[1, shear], [0, 1]]) @ np.diag([1 / wide, 1 / high])
    centre = np.full(2, LARGE / 2)
    moved = centre - matrix @ centre + rng.uniform(-4, 4, 2)
    coefficients = (*matrix[0], moved[0], *matrix[1], moved[1])
    changed = square.transform((LARGE, LARGE), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    return np.asarray(changed.resize((SIDE, SIDE), Image.Resampling.BOX))


def _coverage(root: Path) -> Coverage:
    """Font files by script and letter; no accented letters, and no other forms of a letter."""
    from fontTools.ttLib import TTFont

    scripts = _scripts(root / "usr/share/unicode/Scripts.txt")
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted((root / "usr/share/fonts").rglob("*.[to]tf")):
        if "Italic" in file.name:
            continue
        for code in TTFont(file, lazy=True).getBestCmap() or {}:
            script, letter = scripts.get(code, "Common"), chr(code)
            is_plain = unicodedata.normalize("NFKD", letter) == letter
            if script not in _NO_SCRIPT and is_plain and unicodedata.category(letter) in _CATEGORIES:
                found[script][letter].append(file)
    return found


def _scripts(file: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        told = line.partition("#")[0].strip()
        if told:
            span, script = (part.strip() for part in told.split(";"))
            first, last = (span.split("..") * 2)[:2]
            found.update(dict.fromkeys(range(int(first, 16), int(last, 16) + 1), script))
    return found


def _digest(text: str) -> int:
    return int(hashlib.md5(text.encode()).hexdigest(), 16)
