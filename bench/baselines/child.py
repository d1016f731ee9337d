"""The process that times: pytest over `bench.baselines.timed`, rows as JSON lines on standard output.

Example: ``python -m bench.baselines.child '[["lstm-512-b1-t25", "numpy", 2, 1.0]]'``
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.baselines import timed
from bench.baselines.stored import Row
from bench.baselines.timed import Bench, Task


class Plugin:
    """Gives the benchmark its tasks."""

    def __init__(self, tasks: Sequence[Task], bench: Bench) -> None:
        self._tasks = tasks
        self._bench = bench

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each task, in their order."""
        metafunc.parametrize("task", self._tasks, ids=str)

    @pytest.fixture
    def bench(self) -> Bench:
        """What the tests share."""
        return self._bench


def run(tasks: Sequence[Task], bench: Bench) -> int:
    """Run pytest with the benchmark alone: no settings, plug-ins or cache of the folder it is called in.

    Returns pytest's exit code: 0 if every task wrote its row.
    """
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        del os.environ[name]  # options, and that it is one of several workers, which then time nothing
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "pytest.ini"
        settings.write_text("[pytest]\n", encoding="utf-8")
        options = ["-c", str(settings), "--rootdir", folder, "-q", "-x", "--import-mode=importlib"]
        options += ["-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider", "--benchmark-quiet"]
        return int(pytest.main([*options, str(timed.__file__)], plugins=[Plugin(tasks, bench)]))


def main(argv: Sequence[str]) -> int:
    """Time the tasks of the one argument; pytest's own words go to standard error."""
    tasks = [Task(*values) for values in json.loads(argv[0])]
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as rows:
        os.dup2(2, 1)

        def write(row: Row) -> None:
            print(json.dumps(asdict(row)), file=rows, flush=True)

        return run(tasks, Bench(write))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
