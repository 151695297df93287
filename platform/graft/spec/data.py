"""`data`: where the samples are, how they are split, and what is done about the bad ones."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from graft.spec.base import ByName, Share, Spec
from graft.spec.messages.rules import Finding, broken, rejected

BASE = "base"
"""Key of pydantic's validation context: the directory that relative paths start from."""


def _absolute(value: Any, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        raise broken("must be the path of a directory, as text")
    if not value.strip() or "\0" in value:
        raise broken("must be the path of a directory")
    if "://" in value:
        raise broken("must be the path of a local directory; other stores cannot be read by this version")
    base = (info.context or {}).get(BASE) or os.getcwd()
    return Path(os.path.abspath(os.path.join(base, os.path.expanduser(value))))


Directory = Annotated[Path, PlainValidator(_absolute), WithJsonSchema({"type": "string", "format": "path"})]
Flip = Literal["none", "horizontal", "both"]


class _Source(Spec):
    """What every kind of source has."""

    validation: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Share of the samples held out to compare strategies."
    )
    test: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2,
        description="Share of the samples held out for the test score, where the source brings no test set of its own; "
        "0 is only possible with one of its own.",
    )
    limit: int | None = Field(
        None,
        ge=2,
        description="How many training and validation samples to keep, each class in proportion; all if left out. "
        "Test samples are never dropped.",
    )
    seed: int = Field(0, ge=0, description="Seed of the split and of the limit.")
    max_unreadable: Share = Field(
        0.1, description="Unreadable files are left out and named; more than this share of all fails the job."
    )
    max_pixels: int = Field(
        50_000_000, ge=1, description="An image that says it has more pixels than this is not decoded."
    )

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Self:
        held_out = self.validation + self.test
        if held_out >= 1:
            told = f"and `validation` hold out {held_out:g} of the samples, but must leave some to train on; lower one"
            raise rejected("data", [Finding(("test",), told)])
        return self


class DigitsData(_Source):
    """scikit-learn's bundled digits: 1,797 grey images of 8 × 8 pixels; needs no file and no network."""

    kind: Literal["digits"] = "digits"
    test: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Share of the samples held out for the test score."
    )
    flip: Literal["none"] = Field("none", description="A mirrored digit is another digit, so there is no choice.")


class IdxData(_Source):
    """A directory of IDX files, as MNIST and Fashion-MNIST are published.

    It holds ``{train,t10k}-images-idx3-ubyte`` and ``{train,t10k}-labels-idx1-ubyte``, each with or without ``.gz``.
    The ``t10k`` files, where present, are the test set.
    """

    kind: Literal["idx"] = "idx"
    path: Directory = Field(description="Directory of the files; a relative path starts at the job file's directory.")
    classes: tuple[str, ...] | None = Field(
        None, strict=False, description="Names of the labels 0, 1, 2, …; the numbers themselves if left out."
    )
    flip: Flip = Field("none", description="Mirror images that keep the label, for the augmentation to use.")

    @model_validator(mode="after")
    def _has_names_that_differ(self) -> Self:
        names = self.classes or ()
        findings = [
            Finding(("classes", index), f"is `{name}`, which is in the list already; class names must differ")
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        if len(names) == 1:
            findings.append(Finding(("classes",), "has 1 name, but must have at least 2"))
        if findings:
            raise rejected("data", findings)
        return self


class ImageFolderData(_Source):
    """A directory of images: ``<path>/<class>/**``, or ``<path>/{train,val,test}/<class>/**``.

    In the second form ``val`` (or ``validation``) and ``test`` may be missing; where present they are used as they are.
    """

    kind: Literal["image_folder"] = "image_folder"
    path: Directory = Field(description="The directory; a relative path starts at the job file's directory.")
    flip: Flip = Field("horizontal", description="Mirror images that keep the label, for the augmentation to use.")


DataSpec = Annotated[DigitsData | IdxData | ImageFolderData, Field(discriminator="kind"), ByName]
