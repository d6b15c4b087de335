"""The picture of what a source drew: which images stand where, and what becomes of the files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import setup

from bench.errors import ResultsUnwritable
from bench.method import Batch
from bench.registry import get
from bench.runner.pictures import GAP, Pictures, grid, png

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
NAME = "tiny/gdfq/0123456789abcdef@cpu-torch-2.15.0-1-threads"


def batch(labels: list[int], levels: list[int]) -> Batch:
    """Grey images, normalised, each of a level in [0, 255]."""
    pixels = torch.tensor(levels).float().view(-1, 1, 1, 1).expand(-1, 8, 8, 3) / 255
    normalised = (pixels - torch.tensor(MEAN)) / torch.tensor(STD)
    return Batch(normalised.permute(0, 3, 1, 2), torch.tensor(labels))


def levels(canvas: np.ndarray) -> list[list[int]]:
    """The level at the middle of each place for an image of 8 x 8; all pixels of a place are equal."""
    side = 8 + GAP
    rows, columns = (canvas.shape[0] - GAP) // side, (canvas.shape[1] - GAP) // side
    places = canvas[GAP:, GAP:].reshape(rows, side, columns, side, 3)[:, :8, :, :8]
    assert (places == places[:, :1, :, :1, :1]).all()
    return places[:, 4, :, 4, 0].tolist()


def test_rows_are_classes_from_the_lowest_with_up_to_four_images_in_the_order_drawn() -> None:
    given = batch([7, 2, 7, 2, 2, 2, 2, 5], [10, 20, 30, 40, 50, 60, 70, 80])
    assert levels(grid(given, MEAN, STD)) == [[20, 40, 50, 60], [80, 255, 255, 255], [10, 30, 255, 255]]


def test_no_more_than_ten_classes_are_shown() -> None:
    assert levels(grid(batch(list(range(12)), list(range(12))), MEAN, STD)) == [[level] for level in range(10)]


def test_what_is_beyond_black_and_white_is_cut_off_and_what_is_no_number_is_black() -> None:
    beyond = torch.tensor([-90.0, 90.0, float("nan")]).view(3, 1, 1, 1).expand(3, 3, 8, 8)
    assert levels(grid(Batch(beyond, torch.tensor([0, 1, 2])), MEAN, STD)) == [[0], [255], [0]]


def test_a_png_holds_exactly_the_pixels_and_repeats_byte_for_byte() -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (30, 20, 3)).astype(np.uint8)
    written = png(pixels)
    assert written == png(pixels)
    assert (np.asarray(Image.open(BytesIO(written))) == pixels).all()


def test_the_last_of_an_epochs_pictures_is_kept_for_every_record(tmp_path: Path) -> None:
    pictures, given = Pictures(tmp_path), setup(get("gdfq"))
    for epoch in range(2):
        pictures.draw([NAME, NAME + "2"], epoch, batch([0], [100 + epoch]), given)
    for name in (NAME, NAME + "2"):
        assert pictures.keep(name, 2) == f"images/{name}.png"
        kept = (tmp_path / "images" / f"{name}.png").read_bytes()
        folder = tmp_path / ".work" / "images" / name
        assert sorted(path.name for path in folder.iterdir()) == ["epoch-001.png", "epoch-002.png"]
        assert kept == (folder / "epoch-002.png").read_bytes() != (folder / "epoch-001.png").read_bytes()


def test_no_picture_is_kept_where_none_was_drawn(tmp_path: Path) -> None:
    assert Pictures(tmp_path).keep(NAME, 2) is None
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / ".work").write_text("in the way")
    with pytest.raises(ResultsUnwritable, match="epoch-001.png"):
        Pictures(tmp_path).draw([NAME], 0, batch([0], [1]), setup(get("gdfq")))
    assert [path.name for path in tmp_path.iterdir()] == [".work"]
