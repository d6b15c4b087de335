"""The one function that every executor calls: a job's text in, records out."""

from __future__ import annotations

from bench.errors import Busy, ResultsUnwritable
from bench.runner import exits
from bench.runner.log import say


def run(text: str) -> int:
    """Run a job in this process and leave one record a cell; how it ended, as one of `bench.runner.exits`.

    What goes wrong in a single cell becomes its record.

    Raises:
        Exception: what went wrong in a group of several cells, so that they can be tried one by one.
    """
    from bench.runner.group import Interrupted
    from bench.runner.group import run as run_group
    from bench.runner.job import Job

    try:
        run_group(Job.parse(text))
    except Interrupted as stop:
        say(str(stop))
        return exits.INTERRUPTED
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Busy as busy:
        say(str(busy))
        return exits.BUSY
    except ResultsUnwritable as error:
        say(f"error: {error}")
        return exits.UNUSABLE
    return exits.OK
