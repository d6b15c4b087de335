"""Files of a commit, read from the repository that a folder lies in, without touching its work tree or index."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from bench.compare.errors import CommitUnusable


def commit_of(folder: Path, ref: str) -> str | None:
    """The full id of the commit that a name stands for in the repository around `folder`, or None where it is none."""
    told = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return told.stdout.decode().strip() if told is not None and told.returncode == 0 else None


def root_of(folder: Path) -> Path | None:
    """The top of the work tree that `folder` lies in, or None where it is not under git."""
    told = _git(folder, "rev-parse", "--show-toplevel")
    return Path(told.stdout.decode().strip()) if told is not None and told.returncode == 0 else None


def unpack(folder: Path, commit: str, into: Path, paths: Sequence[str]) -> None:
    """Write files of a commit under `into`.

    Args:
        folder: where git is asked, which `paths` (git's pathspecs) are relative to.

    Raises:
        CommitUnusable: if the commit has none of them.
    """
    told = _git(folder, "archive", "--format=tar", commit, "--", *paths)
    if told is None or told.returncode:
        why = told.stderr.decode().strip().splitlines()[-1:] if told is not None else ["git is not installed"]
        raise CommitUnusable(f"commit {commit[:12]} gives no {' '.join(paths)}: {''.join(why)}")
    with tarfile.open(fileobj=io.BytesIO(told.stdout)) as archive:
        archive.extractall(into, filter="data")


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    """What git says in a folder, or None where there is no git or no such folder."""
    try:
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except OSError:
        return None
