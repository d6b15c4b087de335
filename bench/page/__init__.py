"""One self-contained page of all results, as a pure function of what lies under `results/`."""
