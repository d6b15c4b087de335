"""Building what a group needs: device, images, models and the setups that methods get."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.artifacts import Artifacts
from bench.data import Dataset, load_split
from bench.errors import DataAccessDenied
from bench.method import Method, Setup, options_of, settled
from bench.models import build
from bench.runner.evaluate import TestImages
from bench.runner.job import Job
from bench.schedule import Schedule
from bench.spec import Cell

Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]


def normalisation(job: Job, dataset: Dataset) -> Normalisation:
    """Mean and std that the cells' networks expect: their full-precision model's, else the data set's."""
    teacher = job.teachers.get(job.cells[0].init)
    return (teacher.card.mean, teacher.card.std) if teacher else (dataset.mean, dataset.std)


def schedule_of(method: Method, cell: Cell, dataset: Dataset) -> Schedule:
    """The cell's schedule with its steps settled."""
    return settled(method, cell.options).schedule.named(cell.schedule).sized(dataset.sizes["train"])


def setup(job: Job, cell: Cell, method: Method, dataset: Dataset, artifacts: Artifacts) -> Setup:
    """What the method is given to build the halves of `cell`."""
    mean, std = normalisation(job, dataset)
    return Setup(
        cell=cell,
        schedule=schedule_of(method, cell, dataset),
        options=options_of(method.card, cell.options),
        classes=dataset.classes,
        device=torch.device(job.device),
        model=_models(job, cell, dataset),
        images=_training_images(job, cell, method),
        mean=mean,
        std=std,
        artifacts=artifacts,
    )


def full_precision(job: Job, cell: Cell, dataset: Dataset) -> nn.Module | None:
    """The model that the cell's student starts from, or None where it starts from nothing."""
    return _models(job, cell, dataset)("init") if cell.init else None


def test_images(job: Job, dataset: Dataset) -> TestImages:
    """The test split on the device."""
    split = load_split(dataset.name, job.data_root, "test")
    device = torch.device(job.device)
    mean, std = (torch.tensor(values, device=device) for values in normalisation(job, dataset))
    return TestImages(torch.from_numpy(split.images).to(device), torch.from_numpy(split.labels).to(device), mean, std)


def _models(job: Job, cell: Cell, dataset: Dataset) -> Callable[[str], nn.Module]:
    def model(role: str) -> nn.Module:
        if role == "new":
            network = build(cell.model, dataset.classes)
        else:
            network = job.teachers[getattr(cell, role)].network(dataset.classes)
        return network.to(torch.device(job.device), memory_format=torch.channels_last)

    return model


def _training_images(job: Job, cell: Cell, method: Method) -> Callable[[], tuple[Tensor, Tensor]]:
    def images() -> tuple[Tensor, Tensor]:
        if settled(method, cell.options).data == "none":
            raise DataAccessDenied(f"method '{cell.method}' asked for training images; its card declares data='none'")
        split = load_split(cell.dataset, job.data_root, "train")
        return torch.from_numpy(split.images).to(job.device), torch.from_numpy(split.labels).to(job.device)

    return images
