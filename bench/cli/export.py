"""`export CELL --onnx [FILE]`: a stored cell's model as an ONNX file that onnxruntime computes with integers."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import add_data_root, add_results

if TYPE_CHECKING:
    from torch import Tensor

    from bench.export.model import Exported
    from bench.export.session import Runtime
    from bench.measure.stored import Stored
    from bench.records import Record

LISTED = 3
"""Layers that are named of each form."""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cell", metavar="CELL", help="beginning of a cell's id, or the path of its record")
    named = "ONNX file to write (default: a name made of the cell's, in this folder)"
    parser.add_argument("--onnx", nargs="?", const="", required=True, metavar="FILE", help=named)
    parser.add_argument("--fp32", action="store_true", help="the full-precision model that the cell started from")
    parser.add_argument("--check", action="store_true", help="compare it with the stored model on all test images")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads of --check")
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.export import model, session
    from bench.extras import package
    from bench.files import write_bytes
    from bench.measure.stored import stored

    package("onnxruntime", "export", "exporting")  # so that what is missing is known before anything is computed
    record = _record(parsed.results, parsed.cell)
    both = stored(parsed.results, record)
    exported = (model.full if parsed.fp32 else model.integer)(both)
    loaded = session.load(exported, parsed.threads)
    path = Path(parsed.onnx or f"{record.cell.dataset}-{record.cell.label}{'-fp32' * parsed.fp32}.onnx")
    write_bytes(path, exported.data)
    print(f"{path}: {record.cell.dataset} {record.cell.label} ({record.id[:16]}), {len(exported.data):,} bytes")
    print("\n".join(_kernels(exported, loaded, session.vnni())))
    if parsed.check:
        print(_checked(both, loaded, parsed))
    return 0


def _record(results: Path, wanted: str) -> Record:
    """The record of the finished, quantized cell that a person means.

    Raises:
        UnknownName: if there is none, or several. CellUnfinished: if it left no model.
    """
    from bench import records
    from bench.errors import UnknownName
    from bench.evaluate.target import CellUnfinished, cell

    path = Path(wanted)
    if path.suffix == ".json" and not path.is_file():
        raise UnknownName(f"there is no record {path}; give a path below {results / 'records'}, or a cell's id")
    found = [records.read(path)] if path.suffix == ".json" else cell(results, wanted)
    if len(found) > 1:
        paths = [str(records.path_of(results, r.cell.dataset, r.cell.method, r.id, r.platform)) for r in found]
        raise UnknownName(f"{wanted} has {len(found)} records; give the path of one: {', '.join(paths)}")
    record = found[0]
    if not record.ok:
        raise CellUnfinished(f"{path}: {record.cell.label} is {record.status} and left no model; run its suite again")
    if record.cell.bits.full:
        told = "is a full-precision model; give a cell that started from it, and --fp32"
        raise UnknownName(f"{record.cell.label} {told}")
    return record


def _kernels(exported: Exported, loaded: Runtime, vnni: bool) -> Iterator[str]:
    """Which kernels compute the model here, and the layers that each form of arithmetic is for."""
    yield (
        f"{loaded.kernel}: {loaded.integer} of {loaded.convolutions} convolutions run on integer kernels; "
        f"this CPU has {'VNNI' if vnni else 'no VNNI'}"
    )
    for form in dict.fromkeys(exported.forms.values()):
        names = [name for name, given in exported.forms.items() if given == form]
        told = ", ".join(names[:LISTED]) + ", ..." * (len(names) > LISTED)
        yield f"  {len(names)} of {len(exported.forms)} layers {form} ({told})"


def _checked(both: Stored, loaded: Runtime, parsed: argparse.Namespace) -> str:
    import torch

    from bench.export.agreement import agreement

    torch.set_num_threads(parsed.threads)
    found = agreement(both.full if parsed.fp32 else both.model, loaded.run, _batches(both, parsed))
    return (
        f"top-1 on {found.images:,} test images: {found.exported:.2%} exported, {found.model:.2%} in torch; "
        f"{found.differ} answers differ, and {found.rounded} others have logits of codes that were rounded otherwise"
    )


def _batches(both: Stored, parsed: argparse.Namespace) -> Iterator[tuple[Tensor, Tensor]]:
    """The test images, normalised, with their labels."""
    import torch

    from bench.data import data_root, load_split
    from bench.runner.evaluate import TestImages

    card = both.init.card
    split = load_split(card.dataset, data_root(parsed.data_root), "test")
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    test = TestImages(images, labels, torch.tensor(card.mean), torch.tensor(card.std))
    for start in range(0, len(labels), test.batch):
        yield test.normalised(start, start + test.batch), labels[start : start + test.batch]
