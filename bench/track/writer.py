"""Writing runs: parents and cells, each cell's run finished or recognisably not."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import RecordInvalid
from bench.track.experiments import Experiments
from bench.track.index import PARENT, Index, pages
from bench.track.sources import Sources
from bench.track.view import SWEEP, View

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


class Writer:
    """Brings the runs on one server in line with records.

    A run that shows an old state of a record is not corrected but replaced, as MLflow never forgets a metric's
    values: the new run is finished first, then the old one deleted (`mlflow gc` frees its space).
    """

    def __init__(self, client: MlflowClient, results: Path, artifacts: Path | None) -> None:
        """Read what is there already.

        Args:
            artifacts: folder for artifacts; None where the server decides.
        """
        self.client = client
        self.results = results
        self.experiments = Experiments(client, artifacts)
        self.index = Index()
        self._read(list(self.experiments.ids.values()))
        self.ends: dict[str, int] = {}

    def write(self, view: View, sources: Sources) -> str:
        """Make the cell's only run show a record from its files; `added`, `updated` (it replaces a run) or `unchanged`.

        Raises:
            RecordInvalid: if MLflow refuses a name or value in it; then an earlier run stays.
        """
        self._open(view.experiment)
        if run := self.index.current(view.fingerprint):
            return self.keep(run, view.key)
        old = list(self.index.cells.get(view.key, ()))
        parent, end = self._parent(view), view.end or round(time.time() * 1000)
        self._create(view, sources, parent, end)
        self.ends[parent] = max(self.ends[parent], end)
        for run in old:
            self._delete(run)
        return "updated" if old else "added"

    def keep(self, run: Run, key: tuple[str, str]) -> str:
        """Make a run that shows its record already its cell's only one; `unchanged`."""
        parent = run.data.tags[PARENT]
        self.ends[parent] = max(self.ends.get(parent, 0), run.info.end_time or 0)
        for other in list(self.index.cells[key]):
            if other is not run:
                self._delete(other)
        return "unchanged"

    def close(self) -> None:
        """End the sweeps that were touched with their last run, and delete those that have no runs left."""
        for parent in self.index.parents.values():
            identifier, ended = parent.info.run_id, parent.info.end_time or 0
            finished = parent.info.status == "FINISHED"
            if not self.index.children[identifier] and (finished or identifier in self.ends):
                self.client.delete_run(identifier)
            elif identifier in self.ends and not (finished and self.ends[identifier] <= ended):
                self.client.set_terminated(identifier, "FINISHED", max(self.ends[identifier], ended))

    def _read(self, experiments: list[str]) -> None:
        if experiments:
            self.index.add(pages(self.client.search_runs, experiment_ids=experiments))

    def _open(self, experiment: str) -> None:
        """Make or restore an experiment that is not there; what was in it counts again."""
        if experiment not in self.experiments.ids:
            self.experiments.open(experiment)
            self._read([self.experiments.ids[experiment]])

    def _parent(self, view: View) -> str:
        """Run id of the sweep's parent, made where there is none."""
        if view.sweep not in self.index.parents:
            experiment, tags = self.experiments.ids[view.experiment], {SWEEP: view.sweep}
            self.index.parents[view.sweep] = self.client.create_run(experiment, view.began, tags, view.sweep)
        identifier = self.index.parents[view.sweep].info.run_id
        self.ends.setdefault(identifier, 0)
        return identifier

    def _create(self, view: View, sources: Sources, parent: str, end: int) -> None:
        """Write a run; one that MLflow refuses in part is deleted again."""
        from mlflow.exceptions import MlflowException

        run = None
        try:
            tags = {**view.tags, PARENT: parent}
            run = self.client.create_run(self.experiments.ids[view.experiment], view.start, tags, view.name)
            self._fill(run.info.run_id, view, sources, end)
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            if run is not None:
                self.client.delete_run(run.info.run_id)
            raise RecordInvalid(f"record {view.label}: MLflow refuses it ({error.message.splitlines()[0]})") from error
        self.index.children[parent] += 1

    def _fill(self, run_id: str, view: View, sources: Sources, end: int) -> None:
        """Log everything; only the last step, its status, tells the run from one that was left half-written."""
        from mlflow.entities import Metric, Param

        metrics = [Metric(point.key, point.value, end, point.step) for point in view.points]
        self.client.log_batch(run_id, metrics, [Param(key, value) for key, value in view.params.items()])
        with tempfile.TemporaryDirectory() as folder:
            for name, text in view.files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            for name, path in sources.files.items():
                (Path(folder) / name).parent.mkdir(exist_ok=True)
                shutil.copy(path, Path(folder) / name)
            self.client.log_artifacts(run_id, folder)
        if view.weights and (self.results / view.weights).is_file():
            self.client.log_artifact(run_id, str(self.results / view.weights), "weights")
        self.client.set_terminated(run_id, view.status, end)

    def _delete(self, run: Run) -> None:
        self.client.delete_run(run.info.run_id)
        self.index.children[run.data.tags.get(PARENT, "")] -= 1
