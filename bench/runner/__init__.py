"""Running one group of cells in this process: build, loop, evaluate, checkpoint, record."""
