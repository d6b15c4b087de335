"""`python -m bench.runner`: run the job on standard input. Called by every executor; people call `python -m bench`."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys

from bench.errors import ResultsUnwritable

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Exit code: 0 records were left, 2 results cannot be written, 130 stopped after a checkpoint."""
    _die_with_parent()
    from bench.runner.group import Interrupted, run
    from bench.runner.job import Job

    try:
        run(Job.parse(sys.stdin.read()))
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        return 130
    except ResultsUnwritable as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _die_with_parent() -> None:
    """Ask the kernel (Linux alone) to end this process when its parent is killed, so that nothing is left running."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
