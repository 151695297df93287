"""`graft.frame`: samples that a program holds, as the section `data` of a job."""

from collections.abc import Mapping
from typing import Any

from graft.core.errors import SpecError
from graft.core.storage import Home
from graft.modalities.frames.frame import Frame, make_frame
from graft.modalities.frames.objects import rows_of
from graft.modalities.frames.rows import Columns


def frame(
    data: Any = None,
    *,
    text: Any = None,
    image: Any = None,
    label: Any = None,
    texts: Any = None,
    images: Any = None,
    labels: Any = None,
    **settings: Any,
) -> Frame:
    """Samples in memory as the section `data` of a job: ``graft.run({"name": "x", "data": graft.frame(df, …)})``.

    Nothing is read before a job has it. Then it becomes a table under the home, named by its content: the same samples
    are written once and found again, an object that has changed since is another data set, and the job file that is
    kept can be resumed without the object.

    Args:
        data: a pandas or Polars DataFrame, a pyarrow Table, a Hugging Face Dataset or DatasetDict, a torch Dataset of
            pairs, a mapping of names to arrays or lists, or a list of mappings. None with `texts` or `images`.
        text: column of the texts.
        image: column of the images: paths, encoded bytes, PIL images, arrays or tensors [H, W], [H, W, C] or [C, H, W],
            of uint8 or of floats from 0 to 1.
        label: column of the labels; several columns are several targets.
        texts: the texts themselves, with `labels`, in place of `data`.
        images: the images themselves.
        labels: the label of each.
        settings: further keys of `data`: `split`, `group`, `time` and `weight` name columns; `validation`, `test`,
            `limit`, `seed`, … are those of every kind of data.

    Raises:
        SpecError: the object is of no kind that is read, or what is meant in it is not clear.
    """
    given = {"text": texts, "image": images}
    if data is not None:
        if strange := [name for name, one in ({**given, "label": labels}).items() if one is not None]:
            raise SpecError(f"`{strange[0]}s=` is given beside an object, but holds the samples themselves; drop one")
        return make_frame(rows_of(data), {"text": text, "image": image}, label, settings)
    chosen = {name: one for name, one in given.items() if one is not None}
    if len(chosen) != 1 or labels is None:
        raise SpecError("nothing is given, but must be an object, or `texts=` or `images=` with `labels=`; give one")
    ((kind, samples),) = chosen.items()
    columns = Columns({kind: samples, "label": labels}, "the lists")
    return make_frame(columns, {kind: kind}, "label", settings)


def with_frames(job: Any, home: Home) -> Any:
    """A job whose samples a program holds, as one that names a table.

    Raises:
        SpecError: `data` is an object that must be given by `graft.frame`.
        DataError: an object has changed while it was read.
    """
    if not isinstance(job, Mapping):
        return job
    data = job.get("data")
    if isinstance(data, Frame):
        return {**job, "data": data.section(home)}
    if type(data).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow", "datasets", "torch", "numpy"):
        raise SpecError(
            f"data: is of type {type(data).__name__}, but must be a section; give "
            '`graft.frame(data, text="…", label="…")`'
        )
    return job
