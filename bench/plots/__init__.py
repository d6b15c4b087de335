"""Plots as pure functions of what lies under `results/`: what they show, and matplotlib's drawing of it."""
