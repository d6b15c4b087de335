"""Sweeps: which cells of a suite are left, in which groups, and running them."""
