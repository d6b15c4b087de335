"""The errors that a person can cause, each saying what was wrong, where, and what to write instead."""

from __future__ import annotations


class BenchError(Exception):
    """Base of all errors shown to a person as one clear message instead of a traceback."""

    exit_code = 2


class UnknownName(BenchError):
    """A name that nothing is registered under."""


class DataMissing(BenchError):
    """A data set that is not in the data root and was not downloaded."""


class DataCorrupt(BenchError):
    """A data file that is truncated, altered or labelled wrongly."""


class DataAccessDenied(BenchError):
    """A method that asked for images which its declared data access does not cover."""


class ModelMissing(BenchError):
    """A full-precision model that has not been prepared."""


class ModelCorrupt(BenchError):
    """A weights file that cannot be read or does not fit the network."""


class SuiteInvalid(BenchError):
    """A suite file with mistakes; the message lists all of them."""


class OptionInvalid(BenchError):
    """Options of a method that it does not have or that have the wrong type; lists all of them."""


class ResultsUnwritable(BenchError):
    """A results folder that cannot be written to."""


class MergeRefused(BenchError):
    """Results folders that cannot be merged, as they contradict each other or hold no records."""


class RecordInvalid(BenchError):
    """A record that is corrupt, foreign, or of a schema this version does not read."""


class CellDeclined(BenchError):
    """A cell that its method cannot run, with the method's reason."""


class Busy(BenchError):
    """Work that another live process has locked."""


class TrackingUnavailable(BenchError):
    """A tracking server or database that cannot be reached; records stay on disk."""


class MethodInvalid(BenchError):
    """An adapter that cannot be loaded or does not keep the contract."""


class MissingExtra(BenchError):
    """A package that an optional part needs and that is not installed."""
