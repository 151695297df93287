"""What screening costs, and whether it orders backbones as training does, on the features of photographs at hand.

For each backbone: seconds of the features of a sample, seconds of the scores, and one epoch of the cheapest trial (a
linear head on stored features) on the same rows. The rank correlation (Spearman) of each score is with the accuracy, on
held-out rows, of logistic regression on the features, over backbones and sizes.
"""

import argparse
import sys
import time

import numpy as np
import torch
from reporting import json_line, provenance, table
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

from graft.models.load import load_backbone
from graft.search.screening.report import Candidate, screen
from graft.search.screening.scores import SCORES
from graft.search.screening.targets import Targets

BACKBONES = ("efficientnet_lite0", "efficientnet_lite1")
SIZES = (32, 64)


def main() -> int:
    """Print a table and a JSON line."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    origin, rows, found = provenance(), [], []
    images, labels = _digits(options.rows + options.held_out)
    for name in options.backbones:
        for size in options.sizes:
            started = time.process_time()
            features = _features(name, images, size)
            spent = time.process_time() - started
            found.append((Candidate(name, 1.0, size), features, spent))
    train, test = slice(0, options.rows), slice(options.rows, None)
    targets = Targets.of_categories(labels[train])
    screened = {
        one.candidate: one for one in screen([(at, f[train]) for at, f, _ in found], targets, time.process_time)
    }
    truth = {at: _accuracy(f[train], labels[train], f[test], labels[test]) for at, f, _ in found}
    for at, features, spent in found:
        one = screened[at]
        epoch = _epoch(features[train], labels[train])
        shown = [round(value, 4) for value in one.scores.values()]
        rows.append([at.backbone, at.size, round(spent, 2), round(one.seconds, 3), round(epoch, 3), *shown, truth[at]])
    order = list(truth)
    ranks = {
        name: round(float(spearmanr([screened[at].scores[name] for at in order], list(truth.values())).statistic), 3)
        for name in SCORES
    }
    headers = ["backbone", "size", "features s", "scores s", "epoch s", *SCORES, "held out"]
    print(f"\n{table(headers, rows)}\n\nrank correlation: {ranks}\n")
    print(json_line("screening", origin, {"rank_correlation": ranks, "rows": rows}))
    return 0


def _digits(count: int) -> tuple[torch.Tensor, np.ndarray]:
    """Handwritten digits in three channels, in an order drawn once."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))[:count]
    grey = torch.from_numpy(data.images[order] / 8 - 1).float()
    return grey[:, None].expand(-1, 3, -1, -1), data.target[order]


def _features(name: str, images: torch.Tensor, size: int) -> np.ndarray:
    """Pooled features, [N, F]."""
    backbone = load_backbone(name).backbone.eval()
    found = []
    with torch.no_grad():
        for part in images.split(64):
            scaled = torch.nn.functional.interpolate(part, size=(size, size), mode="bilinear", antialias=True)
            found.append(backbone(scaled))
    return torch.cat(found).double().numpy()


def _accuracy(features: np.ndarray, labels: np.ndarray, others: np.ndarray, answers: np.ndarray) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=0.1, max_iter=200).fit(scaler.transform(features), labels)
    return round(float(model.score(scaler.transform(others), answers)), 4)


def _epoch(features: np.ndarray, labels: np.ndarray) -> float:
    """Processor seconds of one epoch of a linear head on stored features, batches of 32."""
    x, y = torch.from_numpy(features).float(), torch.from_numpy(labels).long()
    head = torch.nn.Linear(x.shape[1], int(y.max()) + 1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    torch.nn.functional.cross_entropy(head(x[:32]), y[:32]).backward()
    optimizer.step()  # the first step of a process imports what later ones do not
    started = time.process_time()
    for start in range(0, len(x), 32):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(x[start : start + 32]), y[start : start + 32]).backward()
        optimizer.step()
    return time.process_time() - started


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--backbones", type=lambda text: text.split(","), default=list(BACKBONES), help="by name, with commas between")
    add("--sizes", type=lambda text: [int(one) for one in text.split(",")], default=list(SIZES), help="pixels a side")
    add("--rows", type=int, default=500, help="of the sample (default: 500)")
    add("--held-out", type=int, default=1000, help="rows that accuracy is measured on (default: 1000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
