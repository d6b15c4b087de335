"""Reproduction: one stored cell run again, and how its result and environment compare with the record."""
