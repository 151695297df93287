"""The comparison page: saved views of MLflow's run table, written as tags of the experiment (MLflow 3.15 to 3.18).

Two views, because grouping the runs hides the parallel coordinates: *strategies* groups the trials by family and says
which one wins and at what cost, *trials* shows every trial over the fields that vary. A view is a tag
``mlflow.sharedViewState.<key>`` with a name, two times and the packed state of the page. That is no public interface
of MLflow: nothing but this page depends on it.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graft.core.storage import text_digest
from graft.spec.metrics import MetricSpec, shown

TAG_PREFIX = "mlflow.sharedViewState."
FAMILY = "family"
# What MLflow takes; a longer tag is refused.
MAX_TAG = 20_000
# The metric that trials are ranked by at the end, ties too (`graft.tracking.projection.standings`).
_RANK = "final/rank"
# More axes than this cannot be read.
_MAX_AXES = 7
# Pixels.
_CARD_HEIGHT = 360

ViewKind = Literal["strategies", "trials"]
State = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """What a comparison page is about.

    Attributes:
        experiment: name of the graft experiment; its trials are shown.
        metric: what they are compared by.
        varied: names of the params that differ among them, the most telling first.
        shared: those of `varied` that every trial has.
        has_cost: whether trials have a price; else seconds stand for the cost.
        time: seconds since the epoch, shown as the view's age.
        families: that have a trial with a score; what cannot be compared has no chart of one bar.
        scored: trials that have a score.
        base: the score that bars begin at, which is that of the middle trial; None while trials have no ranks.
    """

    experiment: str
    metric: MetricSpec
    varied: tuple[str, ...]
    shared: tuple[str, ...]
    has_cost: bool
    time: float
    families: int = 0
    scored: int = 0
    base: float | None = None


def view_key(experiment: str, kind: ViewKind) -> str:
    """What a view is found by, in its tag and in the URL that opens it."""
    return f"graft-{kind}-{text_digest(experiment)[:10]}"


def view_tags(compared: Compared) -> dict[str, str]:
    """The tags that make the views of an experiment; writing them again replaces them."""
    states: dict[ViewKind, State] = {"strategies": _strategies(compared), "trials": _trials(compared)}
    tags = {
        TAG_PREFIX + view_key(compared.experiment, kind): _pack(
            f"{kind} of {compared.experiment}", state, compared.time
        )
        for kind, state in states.items()
    }
    return {name: value for name, value in tags.items() if len(value) <= MAX_TAG}


def unpack(value: str) -> State:
    """The state of the page that a tag holds."""
    packed = json.loads(value)["state"].removeprefix("deflate;")
    return dict(json.loads(zlib.decompress(base64.b64decode(packed))))


def varied_params(strategies: Sequence[Mapping[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which params differ among flat strategies, in their order; and those of them that every strategy has."""
    names = list(dict.fromkeys(name for strategy in strategies for name in strategy))
    varied = tuple(name for name in names if len({one[name] for one in strategies if name in one}) > 1)
    return varied, tuple(name for name in varied if all(name in one for one in strategies))


def varied_in_space(space: Mapping[str, Any]) -> tuple[str, ...]:
    """Which params of a strategy space have a distribution, before any trial has been drawn from it."""
    return tuple(name for name, value in space.items() if isinstance(value, Mapping) and "kind" not in value)


def _strategies(compared: Compared) -> State:
    metric, cost = compared.metric, _cost(compared)
    wins, price, curves = _section_ids(compared, "wins", "price", "curves")
    # One family is nothing to group by: its trials are what is compared.
    is_grouped = compared.families != 1
    whose, bars = ("family", compared.families) if is_grouped else ("trial", compared.scored)
    seconds = _chart("BAR", price, metricKey=cost, displayName=f"{cost.partition('/')[2]} of a trial")
    charts = [
        *([_score_bars(compared, wins, whose)] if bars > 1 else []),
        _scatter(price, cost, _final(metric)),
        *([seconds] if bars > 1 else []),
        _curve(curves, f"val/{metric.name}"),
        _curve(curves, "train/loss"),
    ]
    sections = [
        _section(wins, f"Which strategy wins?{_where_bars_begin(compared)}", columns=1),
        _section(price, "Cost against quality", columns=2),
        _section(curves, "Learning curves", columns=2),
    ]
    grouped = {
        "aggregateFunction": "max" if metric.mode == "max" else "min",
        "groupByKeys": [{"mode": "param", "groupByData": FAMILY}],
    }
    page = _page(compared, [FAMILY, "backbone"], sections, charts, is_ranked=not is_grouped)
    return page | {"groupBy": grouped if is_grouped else None}


def _trials(compared: Compared) -> State:
    metric, cost = compared.metric, _cost(compared)
    score = _final(metric)
    fields, price, curves = _section_ids(compared, "fields", "price", "curves")
    charts = [
        _chart("PARALLEL", fields, selectedParams=list(compared.shared[:_MAX_AXES]), selectedMetrics=[score],
               showAllRuns=True),
        *([_score_bars(compared, price, "trial")] if compared.scored > 1 else []),
        _scatter(price, cost, score),
        _curve(curves, f"val/{metric.name}"),
        _curve(curves, "train/loss"),
    ]  # fmt: skip
    sections = [
        _section(fields, "Which choices lead to good results?", columns=1),
        _section(price, f"Cost against quality{_where_bars_begin(compared)}", columns=2),
        _section(curves, "Learning curves", columns=2),
    ]
    return _page(compared, [FAMILY, *compared.varied], sections, charts, is_ranked=True) | {"groupBy": None}


def _section_ids(compared: Compared, *kinds: str) -> list[str]:
    return [f"{kind}-{text_digest(compared.experiment)[:6]}" for kind in kinds]


def _score_bars(compared: Compared, section: str, whose: str) -> State:
    """Bars that begin near the data, once it is known where that is: MLflow's begin at zero."""
    lead = "" if compared.base is None else "_lead"
    title = f"Best val {compared.metric.name} of each {whose}"
    return _chart("BAR", section, metricKey=f"{_final(compared.metric)}{lead}", displayName=title)


def _where_bars_begin(compared: Compared) -> str:
    """What a section's title adds: MLflow shows no title of a bar chart but its metric's name."""
    if compared.base is None:
        return ""
    way = "right" if compared.metric.mode == "max" else "left"
    return f" (bars begin at val {compared.metric.name} {shown(compared.base)}; the longest to the {way} wins)"


def _page(
    compared: Compared, columns: Iterable[str], sections: list[State], charts: list[State], is_ranked: bool
) -> State:
    """The state of the whole page: the table, best first, and the charts beside it."""
    score = _final(compared.metric)
    is_ranked &= compared.base is not None
    used = {chart["metricSectionId"] for chart in charts}
    metrics = [score, f"final/val_{'loss' if compared.metric.name != 'loss' else 'accuracy'}", *_costs(compared)]
    shown = [f"params.`{name}`" for name in columns] + [f"metrics.`{name}`" for name in [*metrics, "final/epochs"]]
    return {
        "searchFilter": f"tags.`graft.role` = 'trial' AND tags.`graft.experiment` = '{compared.experiment}'",
        "orderByKey": f"metrics.`{_RANK if is_ranked else score}`",
        "orderByAsc": is_ranked or compared.metric.mode == "min",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*shown, "tags.`graft.status`"],
        "columnOrder": [],
        "columnWidths": {},
        "runsHiddenMode": "SHOWALL",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupsExpanded": {},
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunSections": [section for section in sections if section["uuid"] in used],
        "compareRunCharts": [{"uuid": f"chart-{number}", **chart} for number, chart in enumerate(charts)],
    }


def _section(uuid: str, name: str, columns: int) -> State:
    return {
        "uuid": uuid,
        "name": name,
        "columns": columns,
        "cardHeight": _CARD_HEIGHT,
        "display": True,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
    }


def _chart(kind: str, section: str, **settings: Any) -> State:
    return {
        "type": kind,
        "runsCountToCompare": 100,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        **settings,
    }


def _scatter(section: str, cost: str, score: str) -> State:
    axes = {"xaxis": {"key": cost, "type": "METRIC"}, "yaxis": {"key": score, "type": "METRIC"}}
    return _chart("SCATTER", section, **axes)


def _curve(section: str, metric: str) -> State:
    return _chart(
        "LINE",
        section,
        metricKey=metric,
        selectedMetricKeys=[metric],
        displayName=f"{metric} by epoch",
        lineSmoothness=0,
        xAxisScaleType="linear",
        scaleType="linear",
        range={},
        xAxisKey="step",
        selectedXAxisMetricKey="",
        yAxisKey="metric",
        yAxisExpressions=[],
        ignoreOutliers=False,
        useGlobalXaxisKey=True,
        useGlobalLineSmoothing=True,
    )


def _final(metric: MetricSpec) -> str:
    return f"final/val_{metric.name}"


def _cost(compared: Compared) -> str:
    return _costs(compared)[0]


def _costs(compared: Compared) -> list[str]:
    return ["final/cost", "final/seconds"] if compared.has_cost else ["final/seconds"]


def _pack(name: str, state: State, time: float) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), level=9)).decode()
    stamp = round(time * 1000)
    return json.dumps({"name": name, "createdAt": stamp, "updatedAt": stamp, "state": f"deflate;{packed}"})
