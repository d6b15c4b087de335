"""`measure`: latency, memory, energy and cost of stored cells' models, with the device to itself."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from bench.cli.common import add_data_root, add_results
from bench.cli.filters import count
from bench.errors import BenchError, ModelCorrupt, ModelMissing, UnknownName
from bench.spec import Bits

if TYPE_CHECKING:
    from bench.records import Record


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="*", help="beginnings of cells' ids (default: all cells)")
    parser.add_argument("--method", default="*", help="only methods that match this glob")
    parser.add_argument("--dataset", default="*", help="only data sets that match this glob")
    parser.add_argument("--bits", type=_bits, default=(), help="only these bit-widths, e.g. W4A4,W3A3")
    parser.add_argument("--kind", type=_kinds, default=_kinds("all"), help="of latency,step,memory,energy,cost (all)")
    parser.add_argument("--batch", type=_batches, default=(1, 128), help="batch sizes (default: 1,128)")
    parser.add_argument("--samples", type=count, default=100, help="of each model and batch size (default: 100)")
    parser.add_argument("--threads", type=count, default=os.cpu_count() or 1, help="CPU threads (default: all)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)")
    parser.add_argument("--wait", type=float, default=600.0, help="seconds to wait for the device (default: 600)")
    parser.add_argument("--again", action="store_true", help="measure again what was measured on this machine")
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.cli.measured import Found, show
    from bench.data import data_root
    from bench.evaluate.sitting import Sitting, tasks
    from bench.files import ensure_writable
    from bench.measure.environment import device, gpu_name
    from bench.measure.subject import Machine

    if parsed.device == "cuda" and gpu_name() is None:
        raise BenchError("there is no NVIDIA GPU here to measure on; give --device cpu")
    chosen = _chosen(parsed)
    ensure_writable(parsed.results)
    machine = Machine(device(parsed.device), parsed.threads, parsed.samples, parsed.wait)
    wanted = tasks(parsed.results, parsed.kind, parsed.batch, machine, data_root(parsed.data_root))
    sitting = Sitting(parsed.results, machine, parsed.again, _say)
    found: list[Found] = []
    missing: list[str] = []
    for record in chosen:
        try:
            found.append(Found(record, sitting.measure(record, wanted)))
        except (ModelMissing, ModelCorrupt) as error:
            if len(chosen) == 1:
                raise
            missing.append(str(error))
    print(show(found))
    for line in missing + sitting.left:
        _say(f"not measured: {line}")
    return 1 if missing or not any(each.measurements for each in found) else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _chosen(parsed: argparse.Namespace) -> list[Record]:
    """The finished, quantized cells that the options leave.

    Raises:
        UnknownName: if there is none.
    """
    from fnmatch import fnmatchcase

    from bench import records

    every = records.load(parsed.results)
    for start in parsed.id or [""]:
        if not any(record.id.startswith(start) for record in every):
            wanted = f"begins with '{start}'" if start else "was ever run"
            raise UnknownName(f"no cell whose id {wanted} has a record in {parsed.results / 'records'}")
    found = [
        record
        for record in every
        if record.ok
        and not record.cell.bits.full
        and record.id.startswith(tuple(parsed.id) or "")
        and fnmatchcase(record.cell.method, parsed.method)
        and fnmatchcase(record.cell.dataset, parsed.dataset)
        and (not parsed.bits or record.cell.bits in parsed.bits)
    ]
    if not found:
        raise UnknownName("no finished cell of a quantized model matches; drop a filter (--method, --dataset, --bits)")
    return found


def _bits(text: str) -> tuple[Bits, ...]:
    try:
        return tuple(Bits.parse(part) for part in text.replace(" ", ",").split(",") if part)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _kinds(text: str) -> tuple[str, ...]:
    from bench.measure.measurement import KINDS

    given = KINDS if text == "all" else tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if unknown := [kind for kind in given if kind not in KINDS]:
        raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of {', '.join(KINDS)}")
    return given


def _batches(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(count(part) for part in text.split(",")))
