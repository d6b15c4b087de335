"""Comparisons of stored runs, frozen references, and verdicts against them."""
