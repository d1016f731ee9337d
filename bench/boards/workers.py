"""Worker processes from the other side: started together, asked together, ended whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import bench
from bench.boards.job import Job, write_job

ERRORS = "stderr.txt"
"""Within a worker's folder: what it and its driver have printed."""

SUITE = Path(bench.__file__).parents[1]


class BoardFailed(Exception):
    """A run on devices came to nothing; the text says what, and on which device.

    ``termination``: ``crash``, ``timeout``, ``out of memory`` or ``build failed``.
    """

    def __init__(self, text: str, termination: str = "crash") -> None:
        super().__init__(text)
        self.termination = termination


class Workers:
    """One process a job, each in a folder of its own, in the order of the jobs."""

    def __init__(self, names: Sequence[str], processes: Sequence[subprocess.Popen[bytes]], limit_s: float):
        self._names = names
        self._processes = processes
        self._limit_s = limit_s
        self._heard = [b""] * len(processes)

    def ask(self, request: str) -> list[dict[str, Any]]:
        """Send all of them a request, and wait for all answers.

        Raises BoardFailed if one reports an error, ends, or is silent for the time limit.
        """
        for name, process in zip(self._names, self._processes, strict=True):
            assert process.stdin is not None
            try:
                process.stdin.write(f"{request}\n".encode())
                process.stdin.flush()
            except OSError:
                raise self._ended(name, process, request) from None
        return self._answers(request)

    def _answers(self, request: str) -> list[dict[str, Any]]:
        deadline = time.monotonic() + self._limit_s
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < len(self._processes):
            before = len(answers)
            for number, name in enumerate(self._names):
                if number in answers or (line := self._line(number)) is None:
                    continue
                answers[number] = json.loads(line)
                if "error" in answers[number]:
                    raise BoardFailed(f"{name}: {answers[number]['error']}", answers[number]["termination"])
            if len(answers) == before:
                self._check(answers, request, deadline)
        return [answers[number] for number in range(len(answers))]

    def _check(self, answers: Mapping[int, object], request: str, deadline: float) -> None:
        """Nobody has anything to say: look for one that has ended, and at the clock."""
        for number, (name, process) in enumerate(zip(self._names, self._processes, strict=True)):
            ended = number not in answers and process.poll() is not None
            if ended and b"\n" not in self._heard[number]:
                raise self._ended(name, process, request)
        if time.monotonic() > deadline:
            silent = [name for number, name in enumerate(self._names) if number not in answers]
            raise BoardFailed(
                f"time limit: no answer to `{request}` within {self._limit_s:g} s from {', '.join(silent)}",
                "timeout",
            )
        time.sleep(0.0005)

    def _line(self, number: int) -> bytes | None:
        """A worker's next line, if it has said all of it; read without waiting."""
        stream = self._processes[number].stdout
        assert stream is not None
        with suppress(BlockingIOError):
            self._heard[number] += os.read(stream.fileno(), 2**16)
        line, end, rest = self._heard[number].partition(b"\n")
        if not end:
            return None
        self._heard[number] = rest
        return line

    def _ended(self, name: str, process: subprocess.Popen[bytes], request: str) -> BoardFailed:
        code = process.wait()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        said = _last_line(Path(str(process.args[-1])) / ERRORS)  # type: ignore[index]  # a list, see below
        return BoardFailed(f"{name}: its process ended during `{request}` ({how}){said}")


@contextmanager
def start_workers(
    jobs: Sequence[Job], folders: Sequence[Path], environments: Sequence[Mapping[str, str]], limit_s: float
) -> Iterator[Workers]:
    """A process for each job, in its folder, with its environment; all are killed at the end."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for job, folder, environment in zip(jobs, folders, environments, strict=True):
            write_job(job, folder)
            with (folder / ERRORS).open("wb") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-m", "bench.boards.worker", str(folder)],
                    cwd=folder,
                    env={**os.environ, **environment, "PYTHONPATH": _path()},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                )
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            processes.append(process)
        names = [" and ".join(f"device {a.image.device}" for a in job.assignments) for job in jobs]
        yield Workers(names, processes, limit_s)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)


def _path() -> str:
    """The suite first: workers do not run in its folder."""
    return os.pathsep.join(filter(None, [str(SUITE), os.getenv("PYTHONPATH")]))


def _close(pipe: Any) -> None:
    with suppress(OSError):  # what was still to be written has no reader any more
        pipe.close()


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1]}" if said else ""
