"""Experiments: one a suite, made where there is none, and brought back where someone deleted it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.track.index import pages
from bench.track.view import PREFIX

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Experiments:
    """The experiments of this project on one server.

    Attributes:
        ids: of the active ones, by name.
    """

    def __init__(self, client: MlflowClient, artifacts: Path | None) -> None:
        """Read which there are.

        Args:
            artifacts: folder for artifacts of new experiments; None where the server decides.
        """
        from mlflow.entities import ViewType

        self.client, self.artifacts = client, artifacts
        every = pages(client.search_experiments, view_type=ViewType.ALL, filter_string=f"name LIKE '{PREFIX}%'")
        known = {each.name: each for each in every}
        self.ids = {name: each.experiment_id for name, each in known.items() if each.lifecycle_stage == "active"}
        self.deleted = {name: each.experiment_id for name, each in known.items() if name not in self.ids}

    def open(self, name: str) -> None:
        """Make one that is not active, or restore it with its runs."""
        if name in self.deleted:
            self.ids[name] = self.deleted.pop(name)
            self.client.restore_experiment(self.ids[name])
        else:
            place = (self.artifacts / name.removeprefix(PREFIX)).as_uri() if self.artifacts else None
            self.ids[name] = self.client.create_experiment(name, place)
