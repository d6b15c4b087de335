"""Stored cells tried again: their score on the test images, and a few steps of their training."""
