"""A real Slurm on this machine's loopback, for as long as a command takes.

    python tests/cluster/slurm.py --nodes 2 -- sinfo
    python tests/cluster/slurm.py -- snakemake reproduce-all --profile profiles/slurm

munged, slurmctld and one slurmd a node, from Debian's packages slurmctld, slurmd, slurm-client and munge,
listen on 127.0.0.1 only and end with the command, however it ends. Needs root. A machine that has a Slurm of
its own is left alone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo", "squeue", "scancel", "scontrol")
PACKAGES = "slurmctld slurmd slurm-client munge"
ETC = Path("/etc/slurm")
LINKS = tuple(ETC / name for name in ("slurm.conf", "gres.conf", "cgroup.conf"))
LOCK = Path(tempfile.gettempdir()) / "loopback-slurm.lock"
MARK = "LOOPBACK_SLURM"
"""In the environment of every daemon, step and job, and of what asked for it: the folder of its Slurm."""
NODE = "LOOPBACK_NODE"
"""In the environment of every slurmd and step: its node."""
START_LIMIT_S = 30.0
TURN_LIMIT_S = 300.0
NODE_TIMEOUT_S = 6
"""A node that has not answered for so long is down, and its jobs have failed."""
PR_SET_PDEATHSIG = 1

CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge.sock
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={state}/ctld
SlurmdSpoolDir={state}/spool.%n
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=2,bf_interval=2
EnforcePartLimits=ALL
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout={timeout}
SlurmctldTimeout={timeout}
MessageTimeout=5
InactiveLimit=0
MinJobAge=3600
KillWait=2
Waittime=0
JobRequeue=1
PropagateResourceLimits=NONE
GresTypes=fpga
{nodes}
PartitionName=loopback Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


class Unavailable(Exception):
    """Slurm cannot be brought up here; the text says why."""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm: its folder, the names of its nodes, and the process of each daemon."""

    state: Path
    nodes: tuple[str, ...]
    daemons: Mapping[str, subprocess.Popen[bytes]]

    def environment(self) -> dict[str, str]:
        """What a command needs to talk to it, and to be found by `having`."""
        return {**os.environ, "SLURM_CONF": str(self.state / "slurm.conf"), MARK: str(self.state)}

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, check=False, timeout=60
        )
        return done.stdout.strip()

    def running_on(self, node: str) -> list[str]:
        """Ids of the jobs that run on a node now."""
        return self.ask("squeue", "-h", "-t", "R", "-w", node, "-o", "%i").split()

    def kill_node(self, node: str) -> list[int]:
        """As a power cut: the node's slurmd and every step and process of its jobs end at once.

        Returns the ids of the processes that were killed.
        """
        mark = f"{MARK}={self.state}"
        self.daemons[node].kill()
        self.daemons[node].wait()
        return [
            self.daemons[node].pid,
            *end_all(f"{NODE}={node}", mark),
            *end_all(f"SLURMD_NODENAME={node}", mark),
        ]


def why_not() -> str | None:
    """Why no Slurm can be brought up here, or None."""
    if lacking := [name for name in PROGRAMS if not _program(name)]:
        return f"{', '.join(lacking)} not found: apt-get install --no-install-recommends {PACKAGES}"
    if os.geteuid() != 0:
        return "not root: slurmd starts jobs as other users, and its files belong into /etc"
    if (ETC / "slurm.conf").exists() and not _ours(ETC / "slurm.conf"):
        return f"{ETC / 'slurm.conf'} exists: this machine has a Slurm of its own"
    return None


@contextlib.contextmanager
def loopback(state: Path, nodes: int = 2, cpus: int = 2, boards: int = 1) -> Iterator[Slurm]:
    """Bring up a Slurm in the new folder ``state`` and take it down again.

    ``cpus`` and ``boards`` (the generic resource ``fpga``) are what each node claims to have. One at a time
    on a machine: the next one waits. Raises Unavailable.
    """
    with LOCK.open("w") as lock:
        _take(lock)
        if reason := why_not():
            raise Unavailable(reason)
        names = tuple(f"node{n}" for n in range(nodes))
        daemons: dict[str, subprocess.Popen[bytes]] = {}
        made = not ETC.exists()
        guard = _guard(state)
        try:
            _configure(state, names, cpus, boards)
            # the plug-in takes SLURM_CONF away from srun, so the usual place must hold the files as well
            ETC.mkdir(parents=True, exist_ok=True)
            for link in LINKS:
                link.unlink(missing_ok=True)
                link.symlink_to(state / link.name)
            _start(state, names, daemons)
            yield Slurm(state, names, daemons)
        finally:
            _stop(daemons)
            guard.communicate(timeout=30)
            if made:
                with contextlib.suppress(OSError):
                    ETC.rmdir()


def _take(lock: IO[str]) -> None:
    deadline = time.monotonic() + TURN_LIMIT_S
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unavailable("another loopback Slurm runs here, and does not end") from None
            time.sleep(0.2)


def having(*settings: str) -> list[int]:
    """Ids of the other live processes that have all of these (``NAME=VALUE``) in their environment."""
    found, wanted = [], {setting.encode() for setting in settings}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted <= set((path / "environ").read_bytes().split(b"\0")):
                    found.append(int(path.name))
    return found


def end_all(*settings: str) -> list[int]:
    """Kill what is `having` these until nothing is left; the ids of the processes."""
    killed = []
    while found := having(*settings):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed += found
        time.sleep(0.02)
    return killed


def with_parent() -> Callable[[], None]:
    """For `subprocess.Popen`: the process is killed when this one ends, however it ends, even if stopped."""
    parent, libc = os.getpid(), ctypes.CDLL(None)

    def die_with_parent() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return die_with_parent


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin")


def _ours(link: Path) -> bool:
    """Whether this is a link that `loopback` made; a stale one of a run that was killed counts."""
    return link.is_symlink() and link.readlink().parent.name.startswith("loopback-slurm")


def _configure(state: Path, names: Sequence[str], cpus: int, boards: int) -> None:
    if not state.name.startswith("loopback-slurm"):
        raise ValueError(f"{state}: its name must begin with loopback-slurm, by which its links are known")
    for folder in (state, state / "ctld"):
        folder.mkdir(parents=True, mode=0o755)
    key = state / "munge.key"
    key.touch(mode=0o400)
    key.write_bytes(secrets.token_bytes(128))
    host = socket.gethostname().partition(".")[0]
    port, *ports = _free_ports(1 + len(names))
    described = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={at} CPUs={cpus} RealMemory=16384 "
        f"Gres=fpga:{boards} State=UNKNOWN"
        for name, at in zip(names, ports, strict=True)
    )
    text = CONFIGURATION.format(host=host, port=port, state=state, nodes=described, timeout=NODE_TIMEOUT_S)
    (state / "slurm.conf").write_text(text, encoding="utf-8")
    gres = "".join(f"NodeName={name} Name=fpga Count={boards}\n" for name in names)
    (state / "gres.conf").write_text(gres, encoding="utf-8")
    (state / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n", encoding="utf-8")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _start(state: Path, names: Sequence[str], daemons: dict[str, subprocess.Popen[bytes]]) -> None:
    munge = [f"--{what}={state}/munge{end}" for what, end in (("key-file", ".key"), ("socket", ".sock"))]
    munge += [f"--{what}={state}/munged.{what[:4]}" for what in ("pid-file", "log-file", "seed-file")]
    daemons["munged"] = _daemon(state, "munged", ["munged", "--foreground", "--force", *munge])
    _wait_for(state, daemons, "munged", (state / "munge.sock").exists)
    daemons["slurmctld"] = _daemon(state, "slurmctld", ["slurmctld", "-D", "-c"])
    for name in names:
        daemons[name] = _daemon(state, name, ["slurmd", "-D", "-N", name], {NODE: name})
    known = Slurm(state, tuple(names), daemons)
    idle = ("sinfo", "-h", "-t", "idle", "-o", "%D")
    _wait_for(state, daemons, "slurmctld", lambda: known.ask(*idle) == str(len(names)))


def _daemon(
    state: Path, name: str, command: Sequence[str], extra: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a daemon in the foreground."""
    environment = {**os.environ, "SLURM_CONF": str(state / "slurm.conf"), MARK: str(state), **(extra or {})}
    with (state / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(_program(command[0])), *command[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=with_parent(),  # noqa: PLW1509
            start_new_session=True,
        )


def _wait_for(
    state: Path, daemons: Mapping[str, subprocess.Popen[bytes]], name: str, ready: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not ready():
        ended = [each for each, process in daemons.items() if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            log = (state / f"{(ended or [name])[0]}.log").read_text(encoding="utf-8", errors="replace")
            raise Unavailable(f"{', '.join(ended) or name} did not start: {log[-300:].strip()}")
        time.sleep(0.05)


def _stop(daemons: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """End the daemons."""
    for process in reversed(list(daemons.values())):
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
    for process in daemons.values():
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _clear(state: Path) -> None:
    """Remove what a Slurm in ``state`` has left: processes, links, its folder."""
    end_all(f"{MARK}={state}")
    for link in LINKS:
        if link.is_symlink() and link.readlink().parent == state:
            link.unlink()
    shutil.rmtree(state, ignore_errors=True)


def _guard(state: Path) -> subprocess.Popen[bytes]:
    """A process that waits for the end of this one, or of its standard input, and clears ``state`` then.

    Daemons die with this process, but not what they have started: jobs and their steps.
    """
    return subprocess.Popen(
        [sys.executable, __file__, "--clear-after-input", str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main() -> int:
    """Run a command with a Slurm; its exit status is the command's."""
    parser = argparse.ArgumentParser(
        description="Run a command with a Slurm of its own on loopback.",
        epilog="Example: python tests/cluster/slurm.py --nodes 2 -- sinfo",
    )
    parser.add_argument("--nodes", type=int, default=2, help="slurmd processes, each a node (default: 2)")
    parser.add_argument("--cpus", type=int, default=2, help="CPUs that each node claims to have (default: 2)")
    parser.add_argument("--clear-after-input", type=Path, help=argparse.SUPPRESS)  # see `_guard`
    parser.add_argument("command", nargs="*", help="what to run, after --")
    given = parser.parse_args()
    if given.clear_after_input:
        sys.stdin.read()
        _clear(given.clear_after_input)
        return 0
    if not given.command:
        parser.error("say what to run, after --")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with loopback(Path(folder) / "loopback-slurm", given.nodes, given.cpus) as slurm:
                return subprocess.run(given.command, env=slurm.environment(), check=False).returncode
        except Unavailable as reason:
            print(f"error: {reason}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
