"""Images, as a job names them: kinds of data, augmentation, preprocessing, and what they add to a strategy."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_serializer, model_validator

from graft.spec.base import Share, Spec
from graft.spec.components.augmentation import Augmentation
from graft.spec.defaults.closed_form import Beside, Size
from graft.spec.defaults.recommended import Recommended
from graft.spec.defaults.scale import Scale
from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.base import DataSpec, ModalitySpec, Preprocessing
from graft.spec.modalities.data_path import DataPath
from graft.spec.modalities.folder import FolderSource
from graft.spec.modalities.image_defaults import (
    SMALL_SIDE,
    another_network,
    feature_sides,
    recommended_by_size,
    seconds_at,
)
from graft.spec.modalities.label_names import NumberedLabels
from graft.spec.modalities.side_columns import SideColumns

Flip = Literal["none", "horizontal", "both"]
Aspect = Literal["crop", "pad", "squash"]
Spread = Annotated[float, Field(gt=0)]
DEFAULT_RESOLUTION = 64
DEFAULT_ASPECT: Aspect = "crop"
DEFAULT_MAX_PIXELS = 50_000_000
MOST_PIXELS = 178_956_970
"""Where Pillow refuses an image as an attack, whatever a job allows."""


class ImageFields(Spec):
    """What images add to a strategy."""

    resolution: int | None = Field(
        None,
        ge=16,
        le=1024,
        description=f"Images: side of the square that the backbone sees, in pixels; {DEFAULT_RESOLUTION} if left out.",
    )
    aspect: Aspect | None = Field(
        None,
        description="Images: how they are made square. crop (if left out) keeps the middle, pad all with a border, "
        "squash all with other proportions.",
    )


class ImagePreprocessing(Preprocessing):
    """From a decoded image to the tensor a backbone takes.

    The image is resized so that its short side has `stored_size` pixels and cropped to the middle square (or made
    square as `aspect` says), kept as uint8 (this much is done once, at ingest), then resized to `resolution` if that
    differs, scaled to [0, 1], repeated to three channels if it has one, and normalised by `mean` and `std`.
    """

    kind: Literal["image"] = "image"
    of_source: ClassVar[frozenset[str]] = frozenset({"channels", "max_pixels", "image_column", "encoding"})
    stored_size: int = Field(ge=8, le=1024, description="Side of the stored square, in pixels.")
    resolution: int = Field(ge=8, le=1024, description="Side the backbone sees, in pixels.")
    channels: Literal[1, 3] = Field(3, description="Channels as stored; one for grey images.")
    interpolation: Literal["bilinear", "bicubic"] = Field("bicubic", description="How images are resized at ingest.")
    mean: tuple[float, float, float] = Field(
        strict=False, description="Mean of each channel the backbone was trained with, of 0..1."
    )
    std: tuple[Spread, Spread, Spread] = Field(strict=False, description="Standard deviation of each channel, of 0..1.")
    max_pixels: int = Field(
        DEFAULT_MAX_PIXELS, ge=1, description="A larger image is not decoded; that of the data that was trained on."
    )
    image_column: str | None = Field(None, description="Column of the images in the table that was trained on.")
    encoding: str = Field("utf-8", min_length=1, max_length=40, description="How tables of images are encoded.")
    aspect: Aspect = Field(DEFAULT_ASPECT, description="How an image that is not square is made so.")

    @model_serializer(mode="wrap")
    def _without_the_usual_aspect(self, handler: Any) -> dict[str, Any]:
        """Bundles and stored features of earlier versions say nothing of it: the same ones keep their names."""
        return {name: value for name, value in handler(self).items() if (name, value) != ("aspect", DEFAULT_ASPECT)}

    @property
    def size(self) -> int:
        """Side that the backbone sees."""
        return self.resolution


class ImageModality(ModalitySpec):
    """Photos, drawings, scans: anything that is a grid of pixels."""

    kind: Literal["image"] = "image"
    built_by: ClassVar[str] = "graft.modalities.image.modality:Images"
    default_backbone: ClassVar[str] = "efficientnet_lite0"
    fields: ClassVar[type[Spec]] = ImageFields
    usual: ClassVar[Mapping[str, Any]] = {"resolution": DEFAULT_RESOLUTION, "aspect": DEFAULT_ASPECT}
    preprocessing: ClassVar[type[Preprocessing]] = ImagePreprocessing
    takes: ClassVar[str] = "images"
    features_by: ClassVar[str] = "graft.modalities.image.checks.features:image_features"
    reference: ClassVar[Mapping[str, Any]] = {"backbone": "efficientnet_lite0", "resolution": 64}
    default_space: ClassVar[Mapping[str, Any]] = {
        "freeze": {"choice": [0.0, 0.5, 0.75, 1.0]},
        "lr": {"loguniform": [5e-4, 6e-3]},
        "augment": {"choice": ["none", {"kind": "light", "magnitude": {"uniform": [0.2, 0.5]}}]},
        "batch_size": {"choice": [32, 64]},
        "resolution": 128,
    }

    @classmethod
    def recommended(cls, data: DataSpec, scale: Scale) -> Recommended:
        """The largest side at which the whole network can be trained in the time there is."""
        most = getattr(data, "most_side", None)
        return recommended_by_size(cls.default_space, "resolution" in data.default_space, scale, most)

    @classmethod
    def feature_sizes(cls, data: DataSpec) -> tuple[Size, ...]:
        """Three sides; enlarging small images pays up to a point."""
        return feature_sides("resolution" in data.default_space)

    @classmethod
    def solved_besides(cls, data: DataSpec) -> tuple[Beside, ...]:
        """Another network."""
        return (another_network("resolution" in data.default_space),)

    @classmethod
    def training_seconds(cls, space: Any) -> float:
        """Of EfficientNet-Lite0; it grows with the pixels."""
        return seconds_at(max(int(side or DEFAULT_RESOLUTION) for side in space.values("resolution")))


class ImageSource(DataSpec):
    """What every kind of image source has."""

    most_side: ClassVar[int | None] = None
    """The largest side that pays where the whole network is trained; None is any."""

    max_pixels: int = Field(
        DEFAULT_MAX_PIXELS,
        ge=1,
        le=MOST_PIXELS,
        description="An image that says it has more pixels than this is not decoded.",
    )
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(
        30.0,
        description="The furthest that an image may be turned and keep its label, in degrees; augmentation keeps to "
        "it. A 6 that is turned by 180 is a 9.",
    )

    @property
    def modality(self) -> str:
        return "image"

    def decoding(self) -> dict[str, Any]:
        """The one limit."""
        return {"max_pixels": self.max_pixels}


class DigitsData(ImageSource):
    """scikit-learn's bundled digits: 1,797 grey images of 8 × 8 pixels; needs no file and no network."""

    kind: Literal["digits"] = "digits"
    built_by: ClassVar[str] = "graft.modalities.image.sources.digits:list_digits"
    overview_by: ClassVar[str] = "graft.modalities.image.overview:digits_overview"
    task_hint: ClassVar[tuple[str, str] | None] = ("classification", "each image shows one of ten digits")
    most_side: ClassVar[int | None] = SMALL_SIDE
    default_space: ClassVar[Mapping[str, Any]] = {"resolution": SMALL_SIDE}
    test: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Share of the samples held out for the test score."
    )
    flip: Literal["none"] = Field("none", description="A mirrored digit is another digit, so there is no choice.")


class IdxData(ImageSource, NumberedLabels):
    """A directory of IDX files, as MNIST and Fashion-MNIST are published.

    It holds ``{train,t10k}-images-idx3-ubyte`` and ``{train,t10k}-labels-idx1-ubyte``, each with or without ``.gz``.
    The ``t10k`` files, where present, are the test set.
    """

    kind: Literal["idx"] = "idx"
    built_by: ClassVar[str] = "graft.modalities.image.sources.idx:list_idx"
    drafted_by: ClassVar[str] = "graft.modalities.image.draft:draft_idx"
    overview_by: ClassVar[str] = "graft.modalities.image.overview:idx_overview"
    task_hint: ClassVar[tuple[str, str] | None] = ("classification", "each image has one of the labels 0, 1, 2, …")
    default_space: ClassVar[Mapping[str, Any]] = {"resolution": SMALL_SIDE}
    path: DataPath = Field(description="Directory of the files; a relative path starts at the job file's directory.")
    flip: Flip = Field("none", description="Mirror images that keep the label, for the augmentation to use.")


class ImageFolderData(ImageSource, FolderSource):
    """A directory of images: ``<path>/<class>/**``, or ``<path>/{train,val,test}/<class>/**``.

    In the second form ``val`` and ``test`` may be missing; where present they are used as they are.
    """

    kind: Literal["image_folder"] = "image_folder"
    built_by: ClassVar[str] = "graft.modalities.image.sources.image_folder:list_image_folder"
    drafted_by: ClassVar[str] = "graft.modalities.image.draft:draft_folder"
    overview_by: ClassVar[str] = "graft.modalities.image.overview:image_folder_overview"
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(
        180.0, description="The furthest that an image may be turned and keep its label, in degrees."
    )
    flip: Flip = Field("horizontal", description="Mirror images that keep the label, for the augmentation to use.")


class NumpyData(ImageSource, NumberedLabels):
    """Arrays of images and labels in a ``.npz`` archive, or in a directory of ``.npy`` files.

    Their names say which is which, as in ``x_train``, ``y_train``, ``x_test``, ``y_test``; or the job says it.
    """

    kind: Literal["numpy"] = "numpy"
    built_by: ClassVar[str] = "graft.modalities.image.sources.numpy:list_numpy"
    drafted_by: ClassVar[str] = "graft.modalities.image.sources.drafts:draft_numpy"
    default_space: ClassVar[Mapping[str, Any]] = {"resolution": SMALL_SIDE}
    path: DataPath = Field(description="The archive or directory; a relative path starts at the job file's directory.")
    samples: str | None = Field(None, min_length=1, description="Name of the array of images, where it says nothing.")
    labels: str | None = Field(None, min_length=1, description="Name of the array of labels, where it says nothing.")
    flip: Flip = Field("none", description="Mirror images that keep the label, for the augmentation to use.")

    @model_validator(mode="after")
    def _names_both_arrays(self) -> Self:
        missing = "labels" if self.labels is None else "samples"
        if (self.samples is None) != (self.labels is None):
            other = "samples" if missing == "labels" else "labels"
            told = f"is missing, but must be given where data.{other} is: name the array"
            raise rejected("data", [Finding((missing,), told)])
        return self


class CocoData(ImageSource, SideColumns):
    """Annotations as COCO has them: an image is of the categories that its annotations are of.

    `group`, `time` and `weight` name keys of the objects in `images`, such as ``date_captured``.
    """

    kind: Literal["coco"] = "coco"
    built_by: ClassVar[str] = "graft.modalities.image.sources.coco:list_coco"
    drafted_by: ClassVar[str] = "graft.modalities.image.sources.drafts:draft_coco"
    path: DataPath = Field(
        description="The file of annotations, or a directory of such files whose names say their splits, as "
        "instances_train.json does; a relative path starts at the job file's directory."
    )
    directory: DataPath | None = Field(
        None, description="Directory of the images; the file's own, the one above, or `images` in them if left out."
    )
    labels: Literal["auto", "one", "many"] = Field(
        "auto",
        description="Whether an image has one label or several; auto means several if any has. With `one`, images of "
        "several categories are left out.",
    )
    flip: Flip = Field("horizontal", description="Mirror images that keep the label, for the augmentation to use.")


class MetadataData(ImageSource, SideColumns):
    """A directory of images with ``metadata.csv``, ``.jsonl`` or ``.parquet`` at its top, or in each split's folder.

    The convention of Hugging Face's `imagefolder`.
    """

    kind: Literal["image_metadata"] = "image_metadata"
    built_by: ClassVar[str] = "graft.modalities.image.sources.metadata:list_metadata"
    drafted_by: ClassVar[str] = "graft.modalities.image.sources.drafts:draft_metadata"
    path: DataPath = Field(description="The directory; a relative path starts at the job file's directory.")
    file: str = Field("file_name", min_length=1, max_length=256, description="Column of the paths of the images.")
    label: str = Field("label", min_length=1, max_length=256, description="Column of the labels.")
    encoding: str = Field("utf-8", min_length=1, max_length=40, description="How the tables are encoded.")
    flip: Flip = Field("horizontal", description="Mirror images that keep the label, for the augmentation to use.")


class LightAugmentation(Augmentation):
    """Random rotation, scale and crop, and the mirror images that `data.flip` says keep the label."""

    kind: Literal["light"] = "light"
    built_by: ClassVar[str] = "graft.modalities.image.augment.light:light"
    modality: ClassVar[str | None] = "image"
    magnitude: Share = Field(
        0.5, description="0 does nothing; 1 is ±30° of rotation, ±20 % of scale, ±12.5 % of shift."
    )
    share: Share = Field(1.0, description="Share of the samples of a batch that are augmented.")
    views: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="Augmented versions of each image that epochs rotate through, so that frozen blocks see each "
        "only once; new ones in every epoch if left out.",
    )

    @property
    def num_views(self) -> int | None:
        """As many as are stored; none without magnitude or share."""
        return 0 if 0 in (self.magnitude, self.share) else self.views
