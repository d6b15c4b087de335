"""The store of full-precision models: weights and card side by side in `results/teachers/`, and users' own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ModelCorrupt, ModelMissing
from bench.files import pretty_json, write_text
from bench.models import card as cards
from bench.models.card import Channels, TeacherCard
from bench.models.registry import build, check

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.data.dataset import Dataset


@dataclass(frozen=True)
class Teacher:
    """A full-precision model that is at hand: its card, and the file with its weights."""

    card: TeacherCard
    weights: Path

    def resolved(self) -> Teacher:
        """The same, found from any folder."""
        return replace(self, weights=self.weights.resolve())

    def network(self, classes: int) -> nn.Module:
        """A new network on the CPU in eval mode with these weights.

        Args:
            classes: of the data set it is to be used on.

        Raises:
            ModelCorrupt: if the weights are not those of the card, or do not fit a network of that many classes.
        """
        from bench.models import weights

        state = weights.read(self.weights)
        network = build(self.card.model, classes)
        weights.load_into(network, state, self.weights, f"{self.card.model} with {classes} classes")
        if (found := weights.fingerprint(state)) != self.card.sha256:
            raise ModelCorrupt(
                f"{self.weights} holds other weights ({found[:12]}) than its card says ({self.card.sha256[:12]}); "
                f"restore both from git, or train anew: {command(self.card.dataset, self.card.model)}"
            )
        return network.eval()


def path_of(results: Path, dataset: str, model: str) -> Path:
    """Where a teacher's weights lie: `teachers/<dataset>-<model>.safetensors`, its card beside it as .json."""
    return results / "teachers" / f"{dataset}-{model}.safetensors"


def command(dataset: str, model: str) -> str:
    """The command that trains a teacher."""
    return f"python -m bench pretrain --dataset {dataset} --model {model}"


def find(results: Path, dataset: str, model: str) -> Teacher:
    """The stored teacher of a data set and model. Reads the card alone, without torch.

    Raises:
        UnknownName: for a model that nothing is registered under.
        ModelMissing: naming the command that makes it.
        ModelCorrupt: if its card is damaged or of something else.
    """
    check(model)
    path = path_of(results, dataset, model)
    if not (path.is_file() and path.with_suffix(".json").is_file()):
        run = f"run: {command(dataset, model)} (or give --teacher FILE)"
        raise ModelMissing(f"no full-precision {model} for {dataset} in {path.parent}; {run}")
    card = cards.read(path.with_suffix(".json"))
    if (card.dataset, card.model) != (dataset, model):
        found = f"{card.model} for {card.dataset}"
        raise ModelCorrupt(f"{path.with_suffix('.json')} is the card of {found}, not of {model} for {dataset}")
    return Teacher(card, path)


def from_file(path: Path, dataset: Dataset, model: str) -> Teacher:
    """A user's weights in pytorchcv's or the project's naming, as the teacher of a data set.

    Its input normalisation is `mean` and `std` of a JSON card beside it (`FILE.json`, or `.json` in place of the
    file's suffix), if there is one, and otherwise the data set's. A card's `sha256`, if any, must be the weights'.

    Raises:
        UnknownName, ModelMissing: if there is no such model, or file.
        ModelCorrupt: if the file or its card cannot be read, or the weights do not fit the model.
    """
    from bench.models import weights

    network, state = build(model, dataset.classes), weights.read(path)
    weights.load_into(network, state, path, f"{model} with {dataset.classes} classes")
    sha256 = weights.fingerprint(state)
    mean, std = _normalisation(path, sha256) or (dataset.mean, dataset.std)
    return Teacher(TeacherCard(dataset.name, model, dataset.classes, sha256, mean, std, "file"), path)


def publish(results: Path, card: TeacherCard, state: Mapping[str, Tensor]) -> Teacher:
    """Store a teacher: the weights, then the card, each whole or not at all.

    Raises:
        ValueError: if the card is of other weights.
        ResultsUnwritable: if the folder cannot be written or the disk is full.
    """
    from bench.models import weights

    if (found := weights.fingerprint(state)) != card.sha256:
        raise ValueError(f"card of weights {card.sha256[:12]} given with weights {found[:12]}")
    path = path_of(results, card.dataset, card.model)
    weights.write(path, state)
    write_text(path.with_suffix(".json"), pretty_json(card.plain()))
    return Teacher(card, path)


def _normalisation(path: Path, sha256: str) -> tuple[Channels, Channels] | None:
    """Mean and std from the card beside a weights file, or None where it has no card."""
    beside = next((file for file in _cards_beside(path) if file.is_file()), None)
    if beside is None:
        return None
    plain: Mapping[str, Any] = cards.read_plain(beside)
    problems = cards.channel_problems(plain)
    if plain.get("sha256", sha256) != sha256:
        problems.append(f"it is of other weights ({plain['sha256']}) than {path.name} ({sha256})")
    if problems:
        raise ModelCorrupt(f"{beside}: {'; '.join(problems)}")
    return cards.channels(plain["mean"]), cards.channels(plain["std"])


def _cards_beside(path: Path) -> list[Path]:
    """Where the card of `x.pth.zip` may be: `x.pth.zip.json`, `x.pth.json`, `x.json`."""
    found = [path.with_name(f"{path.name}.json")]
    while path.suffix in (".zip", ".pth", ".pt", ".safetensors"):
        path = path.with_suffix("")
        found.append(path.with_name(f"{path.name}.json"))
    return found
