"""The page of an examination: one file of HTML that needs nothing else, with pictures of what was found."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

from graft.core.escaping import escaped, html_table
from graft.data.examination.finding import Finding
from graft.doctor.png import data_uri, png
from graft.doctor.report import Preview, Report
from graft.spec.checks.base import FindingKind
from graft.spec.checks.clean import finding_kinds

_SIDE = 96
_TEXT = 300
_MOST_ROWS = 500
# Whatever a name or a text holds, nothing of this page runs, and nothing is fetched for it.
_SAFE = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
)
_DONE = {
    "drop": "left out, with a row in the quarantine table",
    "fix": "repaired",
    "keep": "kept as they are",
    "fail": "not accepted: the run ends with an error",
}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:68em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}caption{text-align:left;font-weight:600;padding:.3em 0}
td,th{border-bottom:1px solid #ddd;padding:.25em .8em;text-align:left;vertical-align:top;overflow-wrap:anywhere}
section{border-left:5px solid #999;padding:.1em 1em;margin:1.5em 0}
.error{border-color:#c62828}.warning{border-color:#ef9a00}.info{border-color:#4a90c2}
figure{display:inline-block;margin:.4em .8em .4em 0;max-width:15em;vertical-align:top;font-size:12px}
figcaption{overflow-wrap:anywhere}img{image-rendering:auto;background:#eee;max-height:96px}
blockquote{margin:0;padding:.4em;background:#f4f4f4;white-space:pre-wrap;overflow-wrap:anywhere}
code{background:#f4f4f4;padding:.1em .3em}
"""


def page(report: Report) -> str:
    """The whole page; whatever names and texts hold, it is shown as text."""
    source = _text(report.source)
    counts = [("samples", f"{report.records:,} {report.modality}s"), ("task", report.task or "unknown")]
    counts += [(name, f"{count:,}") for name, count in report.splits.items()]
    counts += [("left out", f"{len(report.quarantine):,}"), ("took", f"{report.seconds:.1f} s")]
    body = [
        f"<h1>What is wrong with {source}</h1>",
        html_table(counts),
        "".join(f"<p>{_text(note)}</p>" for note in report.notes),
        _overview(report.findings),
        *(_section(one, report.previews) for one in report.findings),
        _quarantine(report),
        _ignored(report),
    ]
    head = f'<meta charset="utf-8"><title>graft doctor: {source}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{_SAFE}{head}</head><body>{"".join(body)}</body></html>\n'


def _overview(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>Nothing was found.</p>"
    rows = [(one.kind, one.severity, f"{one.count:,}", one.action) for one in findings]
    return html_table(rows, header=("finding", "severity", "count", "what graft does"))


def _section(finding: Finding, previews: Mapping[str, Preview]) -> str:
    kind = finding_kinds().get(finding.kind, FindingKind(finding.kind, ""))
    others = ", ".join(f"<code>{action}</code>" for action in kind.actions)
    change = f"data: {{clean: {{{kind.name}: {kind.actions[0]}}}}}"
    shown = previews if kind.is_shown else {}
    return (
        f'<section class="{_text(finding.severity)}" id="{_text(finding.kind)}">'
        f"<h2>{_text(finding.kind)}: {finding.count:,}</h2><p>{_text(kind.meaning)}</p>"
        f"<p>They are {_DONE[finding.action]}. To change it: <code>{_text(change)}</code> in the job; "
        f"it may be {others}.</p>{''.join(_figures(finding, shown))}</section>"
    )


def _figures(finding: Finding, previews: Mapping[str, Preview]) -> Iterator[str]:
    blank = [""] * len(finding.examples)
    reasons, twins = finding.reasons or blank, finding.twins or blank
    for name, reason, twin in zip(finding.examples, reasons, twins, strict=True):
        looks = "".join(_look(previews[one]) for one in (name, twin) if one in previews)
        yield f"<figure>{looks}<figcaption>{_text(name)} {_text(reason)}</figcaption></figure>"


def _look(preview: Preview) -> str:
    if isinstance(preview, str):
        return f"<blockquote>{_text(preview[:_TEXT])}{'…' if len(preview) > _TEXT else ''}</blockquote>"
    return f'<img alt="" src="{data_uri(png(_small(preview)))}"> '


def _small(values: np.ndarray) -> np.ndarray:
    """Shrunk by a whole factor, so that a page of many stays small."""
    step = max(1, -(-max(values.shape[:2]) // _SIDE))
    height, width = (side - side % step for side in values.shape[:2])
    blocks = values[:height, :width].reshape(height // step, step, width // step, step, values.shape[2])
    means: np.ndarray = blocks.mean(axis=(1, 3)).astype(np.uint8)
    return means


def _quarantine(report: Report) -> str:
    if not report.quarantine:
        return ""
    rows = [(one.path, one.kind, one.reason) for one in report.quarantine[:_MOST_ROWS]]
    more = len(report.quarantine) - len(rows)
    told = f"<p>… and {more:,} more, in the table beside this page.</p>" if more else ""
    return f"<h2>Left out</h2>{html_table(rows, header=('sample', 'finding', 'reason'))}{told}"


def _ignored(report: Report) -> str:
    if not report.ignored:
        return ""
    rows = [(one.reason, f"{one.count:,}", ", ".join(one.examples)) for one in report.ignored]
    return f"<h2>No samples by their names</h2>{html_table(rows, header=('why', 'count', 'such as'))}"


def _text(value: str) -> str:
    return escape(escaped(value))
