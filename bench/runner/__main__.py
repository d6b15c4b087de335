"""`python -m bench.runner`: run the job on standard input, as executors do. People call `python -m bench`."""

import sys

from bench.runner.main import run

if __name__ == "__main__":
    sys.exit(run(sys.stdin.read()))
