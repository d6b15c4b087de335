"""What a check found, and what of it was declared beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.errors import BenchError
from bench.names import check as known_name

Status = Literal["passed", "failed", "expected failure", "unexpected pass"]
SHOWN = 3
"""Problems that a line of text has room for."""


class ExpectationInvalid(BenchError):
    """An expected failure of no known check, or without a reason; the message lists all of them."""


class NotConforming(AssertionError):
    """An adapter that does not keep the contract; lists every problem of every check."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what, and what to write instead."""

    where: str
    what: str
    instead: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"; {self.instead}" if self.instead else "")


@dataclass(frozen=True)
class Outcome:
    """How one check ended.

    Attributes:
        check: its name. problems: what was wrong; of an expected failure, what was declared.
        reasons: those declared.
    """

    check: str
    status: Status
    problems: Sequence[Problem] = ()
    reasons: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        return self.status in ("passed", "expected failure")

    def line(self) -> str:
        """The outcome on one line."""
        told = "; ".join(self.reasons) if self.status == "expected failure" else self._problems()
        return f"{self.status:16} {self.check:12} {told}".rstrip()

    def _problems(self) -> str:
        more = [f"and {len(self.problems) - SHOWN} more"] if len(self.problems) > SHOWN else []
        return " | ".join([*map(str, self.problems[:SHOWN]), *more])


@dataclass(frozen=True)
class Report:
    """The outcomes of the checks of one adapter, in order."""

    method: str
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        return all(outcome.ok for outcome in self.outcomes)

    def __getitem__(self, check: str) -> Outcome:
        """The outcome of a check by name."""
        return {outcome.check: outcome for outcome in self.outcomes}[check]

    def raise_if_failed(self) -> None:
        """
        Raises:
            NotConforming: if a check failed, or passed that was declared to fail.
        """
        if self.ok:
            return
        lines = [f"method '{self.method}' does not keep the contract:"]
        for outcome in self.outcomes:
            told = () if outcome.ok else outcome.problems
            lines += [f"  {outcome.check} ({outcome.status}): {problem}" for problem in told]
        raise NotConforming("\n".join(lines))


def first_of_each_place(problems: Iterable[Problem]) -> list[Problem]:
    """The problems without those that stand where an earlier one does."""
    found: dict[str, Problem] = {}
    for problem in problems:
        found.setdefault(problem.where, problem)
    return list(found.values())


def judge(check: str, problems: Sequence[Problem], expected: Mapping[str, str]) -> Outcome:
    """The outcome of a check that found these problems.

    Args:
        expected: reasons by `check`, which covers all its problems, or by `check:where`, which covers those there.
    """
    declared = {key: reason for key, reason in expected.items() if key.partition(":")[0] == check}
    hits = {key: [p for p in problems if key in (check, f"{check}:{p.where}")] for key in declared}
    covered = [problem for found in hits.values() for problem in found]
    uncovered = [problem for problem in problems if problem not in covered]
    if uncovered:
        return Outcome(check, "failed", uncovered)
    idle = [key for key, found in hits.items() if not found]
    if idle:
        told = [Problem(key, f"passes, though declared to fail ({declared[key]})", "take that out") for key in idle]
        return Outcome(check, "unexpected pass", told)
    return Outcome(check, "expected failure" if problems else "passed", problems, tuple(declared.values()))


def validated(expected: Mapping[str, str], checks: Iterable[str]) -> Mapping[str, str]:
    """`expected`, if each of its keys begins with a check's name and has a reason.

    Raises:
        ExpectationInvalid: listing every mistake.
    """
    checks, mistakes = list(checks), []
    for key, reason in expected.items():
        try:
            known_name("check", key.partition(":")[0], checks)
        except BenchError as error:
            mistakes.append(str(error))
        if not (isinstance(reason, str) and reason.strip()):
            mistakes.append(f"expected failure '{key}' needs a reason, not {reason!r}")
    if mistakes:
        raise ExpectationInvalid("; ".join(mistakes))
    return expected
