"""Writing runs: experiments, parents and cells, each cell's run complete or recognisably not."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import RecordInvalid
from bench.track.experiments import opened
from bench.track.index import COMPLETE, PARENT, Index, pages
from bench.track.view import SWEEP, View

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


class Writer:
    """Brings the runs on one server in line with views of records.

    A run that shows an old state of a record is not corrected but replaced, as MLflow never forgets a metric's
    values: the new run is completed first, then the old one deleted (`mlflow gc` frees its space).
    """

    def __init__(self, client: MlflowClient, results: Path, artifacts: Path | None, views: Iterable[View]) -> None:
        """Open the experiments of the views, and read what is there already.

        Args:
            artifacts: folder for artifacts; None where the server decides.
        """
        self.client = client
        self.results = results
        self.views = tuple(views)
        self.experiments = opened(client, {view.experiment for view in self.views}, artifacts)
        self.index = Index.of(pages(client.search_runs, experiment_ids=list(self.experiments.values())))
        self.ends: dict[str, int] = {}

    def write(self, view: View) -> str:
        """Make the cell's only run show this record; `added`, `updated` (an earlier run is replaced) or `unchanged`.

        Raises:
            RecordInvalid: if MLflow refuses a name or value in it; then an earlier run stays.
        """
        old = list(self.index.cells.get(view.key, ()))
        current = self.index.current(view)
        parent = current.data.tags[PARENT] if current else self._parent(view)
        if current is None:
            self._create(view, parent)
        self.ends[parent] = max(self.ends.get(parent, 0), view.end or 0)
        for run in old:
            if run is not current:
                self._delete(run)
        return "unchanged" if current else "updated" if old else "added"

    def close(self) -> None:
        """End the sweeps that were touched with their last run, and delete those that have no runs left."""
        for parent in self.index.parents.values():
            identifier, ended = parent.info.run_id, parent.info.end_time or 0
            finished = parent.info.status == "FINISHED"
            if not self.index.children[identifier] and (finished or identifier in self.ends):
                self.client.delete_run(identifier)
            elif identifier in self.ends and not (finished and self.ends[identifier] <= ended):
                self.client.set_terminated(identifier, "FINISHED", max(self.ends[identifier], ended) or None)

    def _parent(self, view: View) -> str:
        """Run id of the sweep's parent, made where there is none."""
        if view.sweep not in self.index.parents:
            start = min((each.start for each in self.views if each.sweep == view.sweep and each.start), default=None)
            experiment, tags = self.experiments[view.experiment], {SWEEP: view.sweep}
            self.index.parents[view.sweep] = self.client.create_run(experiment, start, tags, view.sweep)
        identifier = self.index.parents[view.sweep].info.run_id
        self.ends.setdefault(identifier, 0)
        return identifier

    def _create(self, view: View, parent: str) -> None:
        """Write a run; one that MLflow refuses in part is deleted again."""
        from mlflow.exceptions import MlflowException

        run = None
        try:
            tags = {**view.tags, PARENT: parent}
            run = self.client.create_run(self.experiments[view.experiment], view.start, tags, view.name)
            self._fill(run.info.run_id, view)
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            if run is not None:
                self.client.delete_run(run.info.run_id)
            raise RecordInvalid(f"record {view.label}: MLflow refuses it ({error.message.splitlines()[0]})") from error
        self.index.children[parent] += 1

    def _fill(self, run_id: str, view: View) -> None:
        """Log everything; the run is complete only when all of it is in."""
        from mlflow.entities import Metric, Param

        when = view.end or round(time.time() * 1000)
        metrics = [Metric(point.key, point.value, when, point.step) for point in view.points]
        self.client.log_batch(run_id, metrics, [Param(key, value) for key, value in view.params.items()])
        with tempfile.TemporaryDirectory() as folder:
            for name, text in view.files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            self.client.log_artifacts(run_id, folder)
        if view.weights and (self.results / view.weights).is_file():
            self.client.log_artifact(run_id, str(self.results / view.weights), "weights")
        self.client.set_terminated(run_id, view.status, view.end)
        self.client.set_tag(run_id, COMPLETE, "true")

    def _delete(self, run: Run) -> None:
        self.client.delete_run(run.info.run_id)
        self.index.children[run.data.tags.get(PARENT, "")] -= 1
