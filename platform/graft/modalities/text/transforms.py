"""From stored tokens to the tensors that a text backbone takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from graft.core.errors import ArtifactError
from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.data.columns import Column, Ragged, StorageSpec
from graft.data.inputs import Augmenter, Views
from graft.modalities.text.info import TextInput
from graft.modalities.text.storage import REPAIRS, stored_tokens
from graft.modalities.text.tokenizer import SHORT_DIGEST, cut
from graft.models.info import BackboneInfo
from graft.spec.modalities.text import DEFAULT_MAX_CHARACTERS, DEFAULT_MAX_TOKENS, TextPreprocessing


@dataclass(frozen=True)
class TextInputs:
    """Gives batches of rows, filled up to the longest of them.

    Attributes:
        tokens: of all rows.
        given: where to cut, what to fill up with, which tensors to give.
        device: where the batches go.
    """

    tokens: Ragged
    given: TextPreprocessing
    device: torch.device

    @property
    def lengths(self) -> np.ndarray:
        """int64 [N], tokens of each row as the backbone sees it: what to form batches of equal lengths by."""
        shortened: np.ndarray = np.minimum(self.tokens.lengths, self.given.max_tokens)
        return shortened

    @property
    def fixed(self) -> int:
        """The length that no batch exceeds."""
        return self.given.max_tokens

    def plain(self, rows: np.ndarray) -> Batch:
        """int64 [B, L] each: ``input_ids``, ``attention_mask``, and what else the backbone takes."""
        given = self.given
        some = [cut(tokens, given.max_tokens, given.closing_tokens) for tokens in self.tokens.take(rows)]
        return padded(some, given).to(self.device)

    def augmented(self, augmenter: Augmenter, draws: Draws) -> Batch:
        """The texts of the draws' rows, changed."""
        return augmenter.apply(self.plain(draws.rows), draws)

    def view(self, rows: np.ndarray, views: Views, index: int) -> Batch:
        """One stored augmentation of rows."""
        return self.augmented(views.augmenter, views.draws(rows, index))


def padded(tokens: Sequence[np.ndarray], given: TextPreprocessing) -> Batch:
    """A batch of texts of any lengths, on the CPU."""
    # A text without tokens still makes one position: attention to nothing at all is not a number.
    tokens = [one if len(one) else np.array([given.pad_token]) for one in tokens]
    lengths = np.array([len(one) for one in tokens], dtype=np.int64)
    mask = np.arange(lengths.max(initial=1)) < lengths[:, None]
    numbers = np.full(mask.shape, given.pad_token, dtype=np.int64)
    if len(tokens):
        numbers[mask] = np.concatenate(tokens)
    return _named(torch.from_numpy(numbers), torch.from_numpy(mask.astype(np.int64)), given.inputs)


def text_inputs(columns: Mapping[str, Column], given: TextPreprocessing, device: torch.device) -> TextInputs:
    """The inputs of a dataset.

    Raises:
        ArtifactError: it does not hold the tokens of this tokenizer.
    """
    tokens = columns.get(given.column)
    if not isinstance(tokens, Ragged):
        there = ", ".join(columns) or "none"
        raise ArtifactError(
            f"dataset has the columns {there}, but needs {given.column}; ingest it again for this space"
        )
    return TextInputs(tokens, given, device)


def preprocessing_for(storage: StorageSpec, max_tokens: int | None, info: BackboneInfo) -> TextPreprocessing:
    """From a storage to what a backbone takes.

    Args:
        storage: of a dataset.
        max_tokens: of the strategy; lowered to what the backbone has positions for.
        info: of the backbone.

    Raises:
        ArtifactError: the storage has no tokens by the backbone's tokenizer.
    """
    given = info.input
    assert isinstance(given, TextInput), "a text backbone says what texts it takes"
    stored = next((one for one in stored_tokens(storage.form) if one.digest == given.digest), None)
    if stored is None:
        raise ArtifactError(
            f"dataset has no tokens by the tokenizer {given.digest[:SHORT_DIGEST] or '(none)'} of backbone "
            f"`{info.name}`; ingest it again for this space"
        )
    return TextPreprocessing(
        tokenizer=stored.digest,
        tokenizer_of=info.name,
        column=stored.column,
        max_tokens=min(max_tokens or DEFAULT_MAX_TOKENS, given.max_tokens),
        pad_token=given.pad_token,
        closing_tokens=stored.closing,
        inputs=given.names,
        max_characters=storage.form.get("max_characters", DEFAULT_MAX_CHARACTERS),
        encoding=storage.form.get("encoding", "utf-8"),
        text_column=storage.form.get("text_column"),
        repairs=tuple(storage.form.get(REPAIRS, ())),
    )


def example_batch(given: TextInput, size: int, count: int) -> Batch:
    """Texts without content, of full length."""
    # A number that is not the padding's, so that every position counts.
    numbers = torch.full((count, min(size, given.max_tokens)), 0 if given.pad_token else 1, dtype=torch.int64)
    return _named(numbers, torch.ones_like(numbers), given.names)


def _named(numbers: torch.Tensor, mask: torch.Tensor, names: Sequence[str]) -> Batch:
    every = {"input_ids": numbers, "attention_mask": mask, "token_type_ids": torch.zeros_like(numbers)}
    return Batch({name: every[name] for name in names})
