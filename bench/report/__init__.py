"""Tables, as pure functions of the records under `results/`; see `bench.report.table`."""
