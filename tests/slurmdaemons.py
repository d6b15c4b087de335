"""A Slurm of one node and one core on this machine: its daemons run in a folder of their own while a block runs.

Without Slurm's programs, submitit's local executor takes their place, so that all but Slurm itself is tested anywhere.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from clusterjobs import until

from bench.sweep.executors import Executor
from bench.sweep.executors.slurm import Slurm, build
from bench.sweep.executors.squeue import Entry, Squeue
from bench.sweep.place import Place

KIND = "slurm" if shutil.which("slurmctld") else "local"
NODE = "n1"
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmctldPort={first}
SlurmdPort={second}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=100
PartitionName=all Nodes=ALL Default=YES State=UP
"""


class Cluster:
    """The Slurm of this machine."""

    def executor(self, place: Place) -> Executor:
        return build(place, None)

    def lose(self, name: str) -> None:
        """The node of a job goes away."""
        _call("scontrol", "update", f"nodename={NODE}", "state=down", "reason=test")

    def recover(self) -> None:
        """The node comes back."""
        with suppress(subprocess.CalledProcessError):  # it may be back already
            _call("scontrol", "update", f"nodename={NODE}", "state=resume")
        until(lambda: "idle" in _call("sinfo", "--noheader", "--format=%T"))

    def cancel(self, name: str) -> None:
        """Somebody else cancels a job."""
        _call("scancel", name)

    def warn(self, name: str) -> None:
        """A job's time is nearly over."""
        _call("scancel", "--signal=USR2", name)


class Here(Squeue):
    """What submitit's local executor tells of its jobs, in Slurm's words."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[str] = set()
        self.began: dict[str, float] = {}

    def entry(self, name: str) -> Entry:
        began = self.began.setdefault(name, time.monotonic())
        if name in self.lost:
            return Entry("NODE_FAIL", 0.0, 0)
        return Entry("RUNNING" if processes(name) else "FAILED", time.monotonic() - began, 1)

    def interrupt(self, name: str) -> None:
        tell(name, signal.SIGINT)

    def kill(self, name: str) -> None:
        tell(name, signal.SIGKILL)


class Stand(Cluster):
    """What stands in for Slurm."""

    def __init__(self) -> None:
        self.queue = Here()

    def executor(self, place: Place) -> Executor:
        import submitit

        folder = place.results / ".work" / "slurm" / "local"
        submitter = submitit.LocalExecutor(folder)
        submitter.update_parameters(timeout_min=60)
        return Slurm(submitter, folder, self.queue, 100)

    def lose(self, name: str) -> None:
        tell(name, signal.SIGKILL)
        self.queue.lost.add(name)

    def recover(self) -> None:
        """It never went away."""

    def cancel(self, name: str) -> None:
        tell(name, signal.SIGTERM)

    def warn(self, name: str) -> None:
        tell(name, signal.SIGUSR2)


def processes(name: str) -> list[psutil.Process]:
    """The processes that work for a job."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            words = process.info["cmdline"] or []
            here = process.environ() if "submitit.core._submit" in words else {}
            if name in (here.get("SLURM_JOB_ID"), here.get("SUBMITIT_LOCAL_JOB_ID")) and "srun" not in words[0]:
                found.append(process)
    return found


def tell(name: str, number: signal.Signals) -> None:
    for process in processes(name):
        with suppress(psutil.Error):
            process.send_signal(number)


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster while the block runs."""
    if KIND == "local":
        yield Stand()
        return
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(_configured(folder))
    try:
        with ExitStack() as held:
            held.enter_context(_daemon(folder, "munged", "--foreground", "--force", *_munge(folder)))
            until((folder / "munge.sock").exists)
            held.enter_context(_daemon(folder, "slurmctld", "-D"))
            held.enter_context(_daemon(folder, "slurmd", "-D", "-N", NODE))
            cluster = Cluster()
            until(lambda: "idle" in _call("sinfo", "--noheader", "--format=%T"))
            yield cluster
    finally:
        os.environ.pop("SLURM_CONF") if before is None else os.environ.update(SLURM_CONF=before)
        shutil.rmtree(folder, ignore_errors=True)


def _configured(folder: Path) -> Path:
    """The configuration file, in a folder with all that it names."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    host, (first, second) = socket.gethostname().split(".")[0], _ports(2)
    text = CONFIGURATION.format(host=host, user=getpass.getuser(), folder=folder, first=first, second=second, node=NODE)
    (folder / "slurm.conf").write_text(text)
    return folder / "slurm.conf"


def _munge(folder: Path) -> list[str]:
    files = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munged.pid"}
    files |= {"log-file": "munged.log", "seed-file": "munge.seed"}
    return [f"--{option}={folder / name}" for option, name in files.items()]


def _ports(count: int) -> list[int]:
    """Ports that nobody uses."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[None]:
    with (folder / "said").open("a") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=command[0] != "sinfo")
    return done.stdout
