"""`measure`: latency of stored cells' models, with the device to itself."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.cli.common import add_results
from bench.errors import BenchError, ModelCorrupt, ModelMissing, UnknownName
from bench.spec import Bits

if TYPE_CHECKING:
    from bench.measure.measurement import Measurement
    from bench.measure.session import Wanted
    from bench.records import Record


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", default="", help="beginning of a cell's id (default: all cells)")
    parser.add_argument("--method", default="*", help="only methods that match this glob")
    parser.add_argument("--dataset", default="*", help="only data sets that match this glob")
    parser.add_argument("--bits", type=_bits, default=(), help="only these bit-widths, e.g. W4A4,W3A3")
    parser.add_argument("--batch", type=_batches, default=(1, 128), help="batch sizes (default: 1,128)")
    parser.add_argument("--samples", type=_count, default=100, help="of each model and batch size (default: 100)")
    parser.add_argument("--threads", type=_count, default=os.cpu_count() or 1, help="CPU threads (default: all)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)")
    parser.add_argument("--wait", type=float, default=600.0, help="seconds to wait for the device (default: 600)")
    parser.add_argument("--again", action="store_true", help="measure again what was measured on this machine")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.cli.latencies import show
    from bench.files import ensure_writable
    from bench.measure import session
    from bench.measure.environment import device, gpu_name

    if parsed.device == "cuda" and gpu_name() is None:
        raise BenchError("there is no NVIDIA GPU here to measure on; give --device cpu")
    chosen = _chosen(parsed)
    ensure_writable(parsed.results)
    wanted = session.Wanted(device(parsed.device), parsed.threads, parsed.samples, parsed.wait)
    found: list[tuple[Record, Measurement]] = []
    missing: list[str] = []
    for record in chosen:
        try:
            found += [(record, measurement) for measurement in _measurements(record, wanted, parsed)]
        except (ModelMissing, ModelCorrupt) as error:
            if len(chosen) == 1:
                raise
            missing.append(str(error))
    print(show(found))
    for line in missing:
        print(f"not measured: {line}", file=sys.stderr)
    return 1 if missing else 0


def _measurements(record: Record, wanted: Wanted, parsed: argparse.Namespace) -> Iterator[Measurement]:
    """A cell's measurements at all batch sizes; what is missing is measured, and kept with its full precision."""
    from bench.measure import measurement, session
    from bench.measure.stored import stored

    models = None
    for batch in parsed.batch:
        own = None if parsed.again else session.known(parsed.results, record, batch, wanted)
        if own is None:
            models = models or stored(parsed.results, record)
            name = f"{record.cell.dataset} {record.cell.label} ({record.id[:16]})"
            print(f"measuring {name} at batch size {batch}", file=sys.stderr, flush=True)
            own, full = session.measure(models, batch, wanted)
            measurement.write(parsed.results, full)
            measurement.write(parsed.results, own)
        yield own


def _chosen(parsed: argparse.Namespace) -> list[Record]:
    """The finished, quantized cells that the options leave.

    Raises:
        UnknownName: if there is none.
    """
    from fnmatch import fnmatchcase

    from bench import records

    here = [record for record in records.load(parsed.results) if record.id.startswith(parsed.id)]
    if not here:
        wanted = f"begins with '{parsed.id}'" if parsed.id else "was ever run"
        raise UnknownName(f"no cell whose id {wanted} has a record in {parsed.results / 'records'}")
    found = [
        record
        for record in here
        if record.ok
        and not record.cell.bits.full
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


def _batches(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_count(part) for part in text.split(",")))


def _count(text: str) -> int:
    if not (text.strip().isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)
