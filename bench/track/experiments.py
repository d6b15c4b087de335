"""Experiments: one a suite, made where there is none, and brought back where someone deleted it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.track.index import pages
from bench.track.view import PREFIX

if TYPE_CHECKING:
    from mlflow import MlflowClient


def opened(client: MlflowClient, names: Iterable[str], artifacts: Path | None) -> dict[str, str]:
    """Ids by name of all active experiments of this project, after the named ones were made or restored.

    Args:
        artifacts: folder for artifacts of new experiments; None where the server decides.
    """
    from mlflow.entities import ViewType

    every = pages(client.search_experiments, view_type=ViewType.ALL, filter_string=f"name LIKE '{PREFIX}%'")
    known = {experiment.name: experiment for experiment in every}
    active = {name: each.experiment_id for name, each in known.items() if each.lifecycle_stage == "active"}
    for name in sorted(set(names) - active.keys()):
        if name in known:
            client.restore_experiment(known[name].experiment_id)
            active[name] = known[name].experiment_id
        else:
            place = (artifacts / name.removeprefix(PREFIX)).as_uri() if artifacts else None
            active[name] = client.create_experiment(name, place)
    return active
