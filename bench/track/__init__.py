"""MLflow as a view of the records: filled from them, idempotently, by one writer at a time.

Nothing here imports mlflow before `sync` has something to do.
"""

from bench.track.mirror import Synced, sync

__all__ = ["Synced", "sync"]
