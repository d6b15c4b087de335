"""The command line: one small module a verb, each imported only when it is used."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from bench import __version__
from bench.errors import BenchError

VERBS = {
    "run": "run a suite: what is missing, then the table",
    "status": "what of a suite is done, failed and left",
    "claims": "what the papers claim, and what the stored records say of it",
    "table": "show the tables of the stored records",
    "leaderboard": "write every table from the stored records, or check that they are current",
    "plots": "draw every plot from the stored records",
    "page": "write the one page that shows all results, results/index.html",
    "compare": "set two methods, suites or commits against each other, from stored runs",
    "reference": "freeze a method's stored runs for regression checks, or list what is frozen",
    "regress": "check whether a method is worse than its reference or base: pass, fail or cannot tell",
    "prepare": "download and verify a data set",
    "pretrain": "train a full-precision model",
    "measure": "measure latency, memory, energy and cost of stored cells' models, with the device to itself",
    "evaluate": "score a stored model on the test images again, without training",
    "reproduce": "run one stored cell again and compare with its record",
    "export": "write a stored cell's model as an ONNX file that runs on integers",
    "merge": "take the records of other results folders into this one",
    "import-runs": "bring in runs of the authors' own programs from a CSV file",
    "sync": "bring MLflow in line with the records",
    "ls": "list methods, models, datasets or suites",
    "check": "check whether a method's adapter keeps the contract, in seconds",
    "new-method": "write a working adapter and its test, to start from",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 ok, 1 some cells failed, 2 usage, 3 regression, 4 cannot tell, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(given[0] if given else "")
    parsed = parser.parse_args(given)
    try:
        return int(_module(parsed.verb).run(parsed))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _parser(verb: str) -> argparse.ArgumentParser:
    """The parser; only the verb that is used brings its options, so that no other module is imported."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmark of low-bit quantization methods.")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, text in VERBS.items():
        sub = verbs.add_parser(name, help=text, description=text)
        if name == verb:
            _module(name).options(sub)
    return parser


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"bench.cli.{verb.replace('-', '_')}")
