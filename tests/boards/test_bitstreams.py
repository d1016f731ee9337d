"""Bitstreams: what is written for the offline compiler, one that is made up, and which file is taken."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.boards.bitstreams import Bitstream, Kernel, board_kernel, find_bitstream, write_build
from bench.boards.compiling import BuildFailed, run_script
from bench.errors import UserError
from bench.numerics.formats import load_format
from tests.docs.markdown import ROOT, run

BOARD = "p520_max_sg280l"
KERNEL = Kernel(BOARD, (0, 1), "__kernel void nothing(void) {}\n")

WORKS = """
if [ "$1" = -version ]; then echo 'Intel(R) FPGA SDK'; echo 'Version 20.4.0 Build 72'; exit 0; fi
while [ $# -gt 1 ]; do if [ "$1" = -o ]; then out=$2; fi; shift; done
echo "compiling $1"
cp "$1" "$out"
"""
FAILS = "echo 'Error: no licence for Quartus'; exit 3"


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `aoc` on PATH that copies the sources; tests may write another script."""
    path = tmp_path / "bin" / "aoc"
    path.parent.mkdir()
    monkeypatch.setenv("PATH", str(path.parent), prepend=":")
    write(path, WORKS)
    return path


def write(compiler: Path, script: str) -> None:
    """Let ``compiler`` be ``script``."""
    compiler.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    compiler.chmod(0o755)


def built(folder: Path, kernel: Kernel = KERNEL) -> Bitstream:
    """``kernel``, compiled by what PATH has."""
    run_script(write_build(folder, kernel)[1], 60.0)
    return find_bitstream(folder, kernel)


def refusal(folder: Path, kernel: Kernel = KERNEL) -> str:
    """Why there is no bitstream."""
    with pytest.raises(UserError) as error:
        find_bitstream(folder, kernel)
    return str(error.value)


def test_the_command_is_the_vendors(tmp_path: Path) -> None:
    """The script runs the command that is shown, on the sources beside it."""
    source, script = write_build(tmp_path, KERNEL)
    assert source.read_text(encoding="utf-8") == KERNEL.source
    command = f"aoc -v -report -board={BOARD} -o {KERNEL.stem}.aocx {KERNEL.stem}.cl"
    assert " ".join(KERNEL.command) == command
    assert command in script.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("board", "target", "channels"),
    [
        (BOARD, BOARD, 4),
        ("p520_hpc_sg280l", "p520_hpc_sg280l", 4),
        ("pac_s10_dc", "pac_s10_dc", 0),
        ("pac_s10", "pac_s10_dc", 0),
    ],
)
def test_known_boards_bring_their_channels(board: str, target: str, channels: int) -> None:
    """A 520N has four, a D5005 none; what a D5005 calls itself stands for the name that aoc takes."""
    kernel = board_kernel(board)
    assert kernel.board == target
    assert [f"kernel_output_ch{n}" in kernel.source for n in range(5)] == [n < channels for n in range(5)]


@pytest.mark.parametrize(
    ("board", "channels", "fmt", "message"),
    [
        ("my_board", None, "int8", "say its I/O channels: --channels 0,1 or none"),
        ("pac_s10_dc", (0,), "int8", "--channels 0: pac_s10_dc has no I/O channels: --channels none"),
        (BOARD, (1, 4), "int8", f"--channels 4: {BOARD} has channels 0 to 3"),
        ("my_board", (9,), "int8", "--channels 9: my_board has channels 0 to 3"),
        ("a; rm", (), "int8", "--board 'a; rm': expected the name of a board"),
        (BOARD, None, "bfp5", "--format bfp5: boards compute in int8"),
    ],
)
def test_what_cannot_be_built(board: str, channels: tuple[int, ...] | None, fmt: str, message: str) -> None:
    """Refused before anything is written, with what is expected."""
    with pytest.raises(UserError) as error:
        board_kernel(board, channels, load_format(fmt))
    assert message in str(error.value)


def test_what_is_built_is_found_by_content(compiler: Path, tmp_path: Path) -> None:
    """Under any name, with its bytes and the version of the compiler."""
    first = built(tmp_path)
    assert first.record.aoc_version == "20.4.0"
    assert first.content == KERNEL.source.encode()
    assert first.record.aocx_sha256 == hashlib.sha256(first.content).hexdigest()
    for suffix in (".aocx", ".json"):
        first.path.with_suffix(suffix).rename(tmp_path / f"renamed{suffix}")
    assert find_bitstream(tmp_path, KERNEL).path.name == "renamed.aocx"


def test_a_stale_bitstream_is_refused(compiler: Path, tmp_path: Path) -> None:
    """One word of the kernels changed: the file that was built before is another one."""
    path = built(tmp_path).path
    changed = replace(KERNEL, source=KERNEL.source + "/* */\n")
    assert f"{path.name} is stale" in refusal(tmp_path, changed)
    assert f"`bench boards build --board {BOARD}` makes one" in refusal(tmp_path, changed)


def test_a_bitstream_of_another_board_is_refused(compiler: Path, tmp_path: Path) -> None:
    """The same sources for another board are not loaded, and the board that they are for is named."""
    path = built(tmp_path).path
    assert f"{path.name} is for {BOARD}" in refusal(tmp_path, replace(KERNEL, board="p520_hpc_sg280l"))


@pytest.mark.parametrize("record", [None, "", "[]", '{"board": "p520_max_sg280l"}', "\x00"])
def test_a_foreign_bitstream_is_refused(tmp_path: Path, record: str | None) -> None:
    """Nobody knows what it was built from: no record beside it, or one that is none."""
    (tmp_path / "any.aocx").write_bytes(b"\x7fELF")
    if record is not None:
        (tmp_path / "any.json").write_text(record, encoding="utf-8")
    assert "any.aocx is foreign" in refusal(tmp_path)


def test_a_changed_file_is_refused(compiler: Path, tmp_path: Path) -> None:
    """A record does not vouch for other bytes than those that were built, cut off for one."""
    path = built(tmp_path).path
    path.write_bytes(path.read_bytes()[:-1])
    assert "is not the file that was built" in refusal(tmp_path)


def test_an_empty_folder_and_a_full_one(tmp_path: Path) -> None:
    """What is missing is told; of many files that are others, three are named."""
    assert "no such folder" in refusal(tmp_path / "none")
    assert "no .aocx file" in refusal(tmp_path)
    for number in range(5):
        (tmp_path / f"{number}.aocx").touch()
    assert "and 2 more" in refusal(tmp_path)
    assert len(refusal(tmp_path).splitlines()) == 1


def test_a_failed_build_leaves_no_record(compiler: Path, tmp_path: Path) -> None:
    """Not even that of an earlier build of the same kernels; status, log and last lines are told."""
    built(tmp_path)
    write(compiler, FAILS)
    with pytest.raises(
        BuildFailed, match=r"exit status 3; log: .*\.log; its last lines:\n  Error: no licence"
    ):
        built(tmp_path)
    assert "is foreign" in refusal(tmp_path)


def test_a_compiler_that_hangs_is_ended(compiler: Path, tmp_path: Path) -> None:
    """It and what it started are gone when the time limit's message is given."""
    write(compiler, f"sleep 600 & echo $! > {tmp_path}/pid; wait")
    with pytest.raises(BuildFailed, match=r"not done within .* and ended; give more with --hours"):
        run_script(write_build(tmp_path, KERNEL)[1], 1.0)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_terminated_build_leaves_nothing_running(compiler: Path, tmp_path: Path) -> None:
    """SIGTERM to `bench boards build` ends the compiler's processes first."""
    write(compiler, f"sleep 600 & echo $! > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; wait")
    command = [sys.executable, "-m", "bench", "boards", "build", "--board", BOARD, "--folder", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "pid").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert gone(int((tmp_path / "pid").read_text()))


def test_the_command_builds_once(compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench boards build` compiles, keeps the log, and next time finds its file up to date."""
    monkeypatch.chdir(tmp_path)
    code, output = run(f"bench boards build --board {BOARD}")
    assert code == 0
    assert output.splitlines()[-1].endswith(".aocx: built by aoc 20.4.0")
    (log,) = Path("bitstreams").glob("*.log")
    assert log.read_text(encoding="utf-8").startswith("compiling ")
    write(compiler, FAILS)
    code, output = run(f"bench boards build --board {BOARD}")
    assert code == 0
    assert output.splitlines()[-1].endswith(".aocx: up to date, built by aoc 20.4.0")
    code, output = run(f"bench boards build --board {BOARD} --channels 0,1")
    assert code == 1
    assert f"not used: {next(Path('bitstreams').glob('*.aocx')).name} is stale" in output


def test_the_command_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes sources and script, says where to run them, and the script's record is then accepted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.defpath)
    code, output = run("bench boards build --board pac_s10_dc")
    assert code == 0
    assert "aoc is not on PATH" in output
    (script,) = Path("bitstreams").glob("*.sh")
    write(tmp_path / "aoc", WORKS)
    away = {"PATH": f"{tmp_path}:{os.defpath}"}
    subprocess.run(["sh", script], env=away, check=True, stdout=subprocess.DEVNULL)
    found = find_bitstream(Path("bitstreams"), board_kernel("pac_s10_dc"))
    assert json.loads(found.path.with_suffix(".json").read_text())["aoc_version"] == "20.4.0"


def gone(pid: int) -> bool:
    """Whether the process ends within a while: a killed one may take a moment to be taken off the list."""
    until(lambda: not running(pid))
    return not running(pid)


def running(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true: Callable[[], bool]) -> None:
    """Wait until ``true`` says so, for 30 s at most."""
    end = time.monotonic() + 30
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
