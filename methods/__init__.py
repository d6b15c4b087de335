"""Method adapters, one file each; found by name, see bench.registry."""
