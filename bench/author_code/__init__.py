"""Runs of the authors' own programs, brought in from a CSV file as records that never rank."""
