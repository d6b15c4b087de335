"""Image data sets: found on disk, verified, and served in canonical order."""

from bench.data.dataset import Dataset, Split
from bench.data.store import DATASETS, data_root, describe, load_split, training_files

__all__ = ["DATASETS", "Dataset", "Split", "data_root", "describe", "load_split", "training_files"]
