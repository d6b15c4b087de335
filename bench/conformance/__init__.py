"""Does an adapter keep the contract? `check` finds out within seconds; `CHECKS` are the names of what it looks at."""

from bench.conformance.kit import CHECKS, check
from bench.conformance.report import ExpectationInvalid, NotConforming, Outcome, Problem, Report

__all__ = ["CHECKS", "ExpectationInvalid", "NotConforming", "Outcome", "Problem", "Report", "check"]
