"""Carries operations out on an MLflow store; doing one twice changes nothing."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graft.core.credentials import redact
from graft.journal.locking import exclusive
from graft.tracking.mlflow.filters import tag_is
from graft.tracking.mlflow.store import EXPERIMENT_KEY_TAG, KEY_TAG, Store, milliseconds
from graft.tracking.projection.operations import (
    EXPERIMENT_RUN,
    CloseRun,
    DropGhosts,
    LogDataset,
    LogMetrics,
    LogParams,
    OpenRun,
    Operation,
    SetTags,
    ShowViews,
    UploadFiles,
    UploadJson,
    UploadTable,
    UploadText,
)
from graft.tracking.relay_files import RelayFiles
from graft.tracking.target import run_key

# After graft.tracking.mlflow.store, which settles the environment that MLflow reads when it is imported.
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag  # isort: skip
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH  # isort: skip

_LOG = logging.getLogger(__name__)
# Files that are no text, in which credentials could be masked.
_BINARY = frozenset({".png", ".parquet"})
_TABLES_TAG = "mlflow.loggedArtifacts"
# What MLflow accepts in a key; other characters become `_`.
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_\-. /:]")
_MAX_KEY = 250
_MAX_DIGEST = 36


class Writer:
    """Writes the runs of one experiment.

    Args:
        store: the open store.
        experiment_key: the key of the experiment.
        experiment_dir: where the files to upload lie, and the lock that keeps two processes from creating one run each.
        describe: how a run is opened that is not in the store though it should be.
    """

    def __init__(
        self, store: Store, experiment_key: str, experiment_dir: Path, describe: Callable[[str], OpenRun]
    ) -> None:
        self._store = store
        self._key = experiment_key
        self._experiment_dir = experiment_dir
        self._lock = RelayFiles(experiment_dir).runs_lock
        self._describe = describe
        self._ids: dict[str, str] = {}
        self._actions: Mapping[type[Any], Callable[[Any], None]] = {
            OpenRun: self._open_run,
            LogParams: self._log_params,
            LogMetrics: self._log_metrics,
            SetTags: self._set_tags,
            LogDataset: self._log_dataset,
            UploadFiles: self._upload_files,
            UploadJson: self._upload_json,
            UploadText: self._upload_text,
            UploadTable: self._upload_table,
            ShowViews: self._show_views,
            CloseRun: self._close_run,
            DropGhosts: self._drop_ghosts,
        }

    def write(self, operation: Operation) -> None:
        """Carry one operation out.

        Raises:
            MlflowException: the store refused it (`is_refusal`) or does not answer.
        """
        self._actions[type(operation)](operation)

    def run_id(self, run: str) -> str:
        """MLflow's id of a run, which is created if need be."""
        if run not in self._ids:
            self._ids[run] = self._ensure(self._describe(run))
        return self._ids[run]

    def _ensure(self, operation: OpenRun) -> str:
        tags = {**operation.tags, EXPERIMENT_KEY_TAG: run_key(self._key)}
        if operation.run != EXPERIMENT_RUN:
            tags["mlflow.parentRunId"] = self.run_id(EXPERIMENT_RUN)
        with exclusive(self._lock):
            return self._store.ensure_run(run_key(self._key, operation.run), operation.name, operation.time, tags)

    def _open_run(self, operation: OpenRun) -> None:
        run_id = self._ids[operation.run] = self._ensure(operation)
        self._store.client.update_run(run_id, status="RUNNING")

    def _log_params(self, operation: LogParams) -> None:
        params = [Param(stored_name(name), value[:MAX_PARAM_VAL_LENGTH]) for name, value in operation.params.items()]
        self._store.client.log_batch(self.run_id(operation.run), params=params, synchronous=True)

    def _log_metrics(self, operation: LogMetrics) -> None:
        points = [
            Metric(stored_name(point.name), point.value, milliseconds(point.time), point.step)
            for point in operation.points
        ]
        if points:
            self._store.client.log_batch(self.run_id(operation.run), metrics=points, synchronous=True)

    def _set_tags(self, operation: SetTags) -> None:
        tags = [RunTag(stored_name(name), redact(value)[:MAX_TAG_VAL_LENGTH]) for name, value in operation.tags.items()]
        self._store.client.log_batch(self.run_id(operation.run), tags=tags, synchronous=True)

    def _log_dataset(self, operation: LogDataset) -> None:
        dataset = Dataset(
            name=operation.name,
            digest=operation.fingerprint[:_MAX_DIGEST],
            source_type="graft",
            source=json.dumps({"source": redact(operation.source), "fingerprint": operation.fingerprint}),
            profile=json.dumps(dict(operation.counts)),
        )
        used = DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "training")])
        self._store.client.log_inputs(self.run_id(operation.run), [used])

    def _upload_files(self, operation: UploadFiles) -> None:
        for name in operation.names:
            path = self._experiment_dir / name
            if path.suffix in _BINARY and path.is_file():
                self._store.client.log_artifact(self.run_id(operation.run), str(path))
            elif path.is_file():
                self._upload(operation.run, name, path.read_text(encoding="utf-8"))

    def _upload(self, run: str, name: str, text: str) -> None:
        self._store.client.log_text(self.run_id(run), redact(text), name)

    def _upload_json(self, operation: UploadJson) -> None:
        self._upload(operation.run, operation.name, json.dumps(operation.value, indent=2))

    def _upload_text(self, operation: UploadText) -> None:
        self._upload(operation.run, operation.name, operation.text)

    def _upload_table(self, operation: UploadTable) -> None:
        """What `MlflowClient.log_table` leaves; that one appends to a table that is there, so twice would be double."""
        run_id, client = self.run_id(operation.run), self._store.client
        self._upload(operation.run, operation.name, json.dumps({"columns": operation.columns, "data": operation.rows}))
        logged = json.loads(client.get_run(run_id).data.tags.get(_TABLES_TAG, "[]"))
        entry = {"path": operation.name, "type": "table"}
        if entry not in logged:
            client.set_tag(run_id, _TABLES_TAG, json.dumps([*logged, entry]), synchronous=True)

    def _show_views(self, operation: ShowViews) -> None:
        try:
            for name, value in operation.tags.items():
                self._store.client.set_experiment_tag(self._store.experiment_id, name, value)
        except Exception:  # the page is a comfort: whatever is wrong with it, the results must go on arriving
            _LOG.warning("the comparison page was not written", exc_info=True)

    def _close_run(self, operation: CloseRun) -> None:
        self._store.client.set_terminated(self.run_id(operation.run), operation.status, milliseconds(operation.time))

    def _drop_ghosts(self, operation: DropGhosts) -> None:
        found = self._store.client.search_runs(
            [self._store.experiment_id],
            tag_is(EXPERIMENT_KEY_TAG, run_key(self._key)),
            max_results=50_000,
            order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
        )
        kept: set[str] = set()
        for run in found:
            key = run.data.tags[KEY_TAG]
            if key in kept:
                self._store.client.delete_run(run.info.run_id)
            kept.add(key)


def stored_name(name: str) -> str:
    """Under which name a param, metric or tag is stored."""
    return _NOT_IN_KEYS.sub("_", name)[:_MAX_KEY]
