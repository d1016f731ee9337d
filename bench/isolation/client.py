"""Asking a plug-in for its plan, from a process that it cannot harm by accident."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from time import monotonic
from types import TracebackType
from typing import Self

from bench.errors import UserError
from bench.experiments import Limits, Point
from bench.imports import imported_names
from bench.isolation.answer import Answer, HandedIn, Peak
from bench.isolation.processes import LONGEST_END_S, end_marked
from bench.partitioners.sources import Source, find_source
from bench.threads import use_one_thread

PACKAGE = Path(__file__).parents[1]

START_LIMIT_S = 120.0
"""To start the zygote and import what plans are made with; not counted as a point's time."""

MARKER = "BENCH_PLUGIN_GUARD"
"""Environment variable by which processes are found again that no parent knows of."""

SHARED = ("bench", "numpy", "mtkahypar", "ortools", "pymetis")
"""Packages that are imported before the fork, once for all points: they start no thread, and keep nothing."""

NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""OR-Tools imports pandas, and that a library whose allocator would start a thread."""

START = "import sys; sys.path[:] = {path!r}; from bench.isolation.zygote import main; main({imports!r})"

KILLED = "ended or stopped the process that watched over it"


class Plugins:
    """Answers of plug-ins, each in a process of its own; a context manager.

    ``logs``: folder for what they print, ``<name>/<point id>.log``.
    """

    def __init__(self, limits: Limits, logs: Path) -> None:
        if not hasattr(os, "fork"):
            raise UserError("partitioners from outside the suite need a system with fork, as Linux has")
        self._limits = limits
        self._logs = logs.resolve()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._imports: frozenset[str] = frozenset()
        self._marker = f"{MARKER}={token_hex(16)}"
        self._folder = tempfile.TemporaryDirectory(prefix="bench-plugins-", ignore_cleanup_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the zygote, and with it all that it has started."""
        self._stop()
        self._folder.cleanup()

    def log(self, point: Point) -> Path:
        """Where that is what the plug-in prints while it plans ``point``."""
        return self._logs / find_source(point.partitioner).name / f"{point.point_id}.log"

    def ask(self, point: Point) -> Answer:
        """The plug-in's plans for ``point``, or why there are none; whatever it does, it returns.

        Raises RuntimeError if the zygote does not start at all.
        """
        source, log = find_source(point.partitioner), self.log(point)
        log.parent.mkdir(parents=True, exist_ok=True)
        task = {
            "point": asdict(point),
            "file": str(source.file.resolve()) if source.kind == "file" and source.file else "",
            "module": source.module,
            "function": source.function,
            "seconds": self._limits.seconds_per_point,
            "memory_mib": self._limits.memory_mib,
            "log": str(log),
        }
        if not _shared_imports(source) <= self._imports:
            self._stop()
            self._imports |= _shared_imports(source)
        zygote = self._zygote or self._start()
        try:
            assert zygote.stdin
            zygote.stdin.write(json.dumps(task).encode() + b"\n")
            return self._read(zygote, monotonic() + self._limits.seconds_per_point + 2 * LONGEST_END_S)
        except (EOFError, OSError, ValueError):
            self._stop(stuck=True)
            return Answer((), "error", "crash", KILLED)

    def write_progress(self, point: Point, answer: Answer, cycles: list[int | None] | None) -> None:
        """Write what the plans of a search take, beside the log; ``cycles`` is None if nobody knows."""
        lines = [
            json.dumps({"point_id": point.point_id, "seconds": plan.seconds, "cycles": taken}) + "\n"
            for plan, taken in zip(answer.plans, cycles or [None] * len(answer.plans), strict=True)
        ]
        self.log(point).with_suffix(".progress.jsonl").write_text("".join(lines), encoding="utf-8")

    def _start(self) -> subprocess.Popen[bytes]:
        """The zygote, once it is ready; a package that it does not survive is left to its children."""
        for imports in (sorted(self._imports), []):
            self._zygote = self._new_zygote(imports)
            with suppress(EOFError):
                if self._line(self._zygote, monotonic() + START_LIMIT_S) == b"ready":
                    return self._zygote
            code = self._zygote.poll()
            self._stop()
        raise RuntimeError(f"the process that plug-ins are started from did not start (exit code {code})")

    def _new_zygote(self, imports: list[str]) -> subprocess.Popen[bytes]:
        use_one_thread()
        name, _, value = self._marker.partition("=")
        # the same order of sets in each run: what depends on it comes out the same
        settings = {name: value, "PYTHONHASHSEED": "0", "TMPDIR": self._folder.name} | NO_THREAD
        return subprocess.Popen(
            [sys.executable, "-c", START.format(path=sys.path, imports=imports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=os.environ | settings,
            start_new_session=True,
        )

    def _read(self, zygote: subprocess.Popen[bytes], deadline: float) -> Answer:
        header = json.loads(self._line(zygote, deadline))
        plans = [
            HandedIn(seconds, self._bytes(zygote, size, deadline).decode())
            for seconds, size in header["plans"]
        ]
        peak = Peak(**header["peak"])
        return Answer(tuple(plans), header["status"], header["termination"], header["reason"], peak)

    def _line(self, zygote: subprocess.Popen[bytes], deadline: float) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self._bytes(zygote, 1, deadline)
        return bytes(line[:-1])

    def _bytes(self, zygote: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
        assert zygote.stdout
        found = bytearray()
        while len(found) < size:
            ready, _, _ = select.select([zygote.stdout], [], [], max(0.0, deadline - monotonic()))
            part = os.read(zygote.stdout.fileno(), size - len(found)) if ready else b""
            if not part:
                raise EOFError
            found += part
        return bytes(found)

    def _stop(self, *, stuck: bool = False) -> None:
        """End the zygote; if it does not end by itself, everything that it has started too."""
        zygote, self._zygote = self._zygote, None
        if zygote is None:
            return
        assert zygote.stdin
        assert zygote.stdout
        zygote.stdin.close()
        if stuck:
            zygote.kill()
        try:
            clean = zygote.wait(LONGEST_END_S) == 0
        except subprocess.TimeoutExpired:
            clean = False
            zygote.kill()
            zygote.wait()
        zygote.stdout.close()
        if not clean:
            end_marked(self._marker)


@lru_cache(maxsize=64)
def _shared_imports(source: Source) -> frozenset[str]:
    """Names that the plug-in's files import out of `SHARED`: modules, and what is in them."""
    code = [path.resolve() for path in source.files if path.suffix == ".py"]
    names = {name for path in code for name in imported_names(path, PACKAGE)}
    return frozenset(name for name in names if name.partition(".")[0] in SHARED)


def ask_once(point: Point, limits: Limits) -> tuple[Answer, str]:
    """`Plugins.ask` for one point, with what the plug-in has printed."""
    with tempfile.TemporaryDirectory() as folder, Plugins(limits, Path(folder)) as plugins:
        answer = plugins.ask(point)
        log = plugins.log(point)
        return answer, log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
