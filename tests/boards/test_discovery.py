"""`bench boards`: a machine with nothing, with PoCL, with emulated FPGAs, and machines that are made up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.boards.discovery import Discovery, as_lines, as_object, discover, missing_here
from bench.boards.machine import Card, Tool, find_cards, find_tools
from bench.boards.platforms import Kind, Platforms, read_devices
from tests.boards.opencl import (
    requires_intel_emulator,
    requires_pocl,
    requires_pyopencl,
    seeing_emulated,
    seeing_nothing,
    seeing_pocl,
)
from tests.boards.test_platforms import D5005, SDK, a_device, a_platform
from tests.docs.markdown import ROOT, run

AOC = Tool("aoc", "/opt/aoc", "20.4.0")
NO_TOOLS = (Tool("aoc", None), Tool("aocl", None), Tool("fpgainfo", None))


def bench_boards(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """`bench boards list` in a process that sees what ``environment`` says."""
    command = [sys.executable, "-m", "bench", "boards", "list", *options]
    return subprocess.run(
        command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False, timeout=120
    )


def listed(environment: dict[str, str], *options: str) -> Any:
    """The same as a value."""
    done = bench_boards(environment, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@requires_pyopencl
def test_a_machine_with_nothing(tmp_path: Path) -> None:
    """No platform is no error: the list is empty, and says what is missing and what would bring devices."""
    done = bench_boards(seeing_nothing(tmp_path))
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "no board"
    assert "no OpenCL platform is installed" in done.stdout
    assert "no emulated FPGA: " in done.stdout


def test_a_machine_without_pyopencl(monkeypatch: pytest.MonkeyPatch) -> None:
    """The set-up without the optional packages says what to install, once."""
    monkeypatch.setitem(sys.modules, "pyopencl", None)
    code, output = run("bench boards")
    assert code == 0
    assert output.splitlines()[0] == "no board"
    assert output.count("pyopencl is not installed (`make boards` installs it)") == 1


@requires_pocl
def test_pocl_alone(tmp_path: Path) -> None:
    """A CPU runs plain kernels, and is no board; channels are said to be missing."""
    found = listed(seeing_pocl(tmp_path))
    (device,) = found["devices"]
    assert (device["kind"], device["platform"]) == ("CPU", "Portable Computing Language")
    assert "plain kernels" in device["runs"]
    assert not device["channels"]
    assert any("cl_intel_channels" in text for text in device["lacks"])
    assert any(text.startswith("no board") for text in found["missing"])


@requires_intel_emulator
def test_eight_emulated_fpgas(tmp_path: Path) -> None:
    """Intel's emulation is called that and never a board, and its eight devices have channels."""
    found = listed(seeing_emulated(tmp_path, 8))
    assert [device["place"] for device in found["devices"]] == [f"0:{index}" for index in range(8)]
    assert {device["kind"] for device in found["devices"]} == {"emulated FPGA"}
    assert all(device["channels"] and device["fp64"] for device in found["devices"])
    assert any(text.startswith("no board") for text in found["missing"])


@requires_intel_emulator
def test_the_option_emulate_needs_no_settings(tmp_path: Path) -> None:
    """The listing sets up the emulation itself, whatever OpenCL the shell points at."""
    done = bench_boards(seeing_nothing(tmp_path), "--emulate", "3")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "no board, 3 emulated FPGAs"
    assert "0:0 to 0:2  emulated FPGA" in done.stdout


@requires_intel_emulator
def test_links_between_emulated_fpgas(tmp_path: Path) -> None:
    """A file of cables is shown with the devices that its boards are."""
    cables = tmp_path / "boards.yaml"
    cables.write_text(
        "boards:\n  left: {platform: 0, device: 0}\n  right: {platform: 0, device: 1}\n"
        "cables:\n  - [left:ch0, right:ch1]\n",
        encoding="utf-8",
    )
    found = listed(seeing_emulated(tmp_path, 2), "--cables", str(cables))
    assert found["links"] == [{"a": "left:ch0 (0:0)", "b": "right:ch1 (0:1)"}]


@pytest.mark.parametrize("devices", [0, 65])
def test_a_number_of_emulated_fpgas_that_makes_no_sense(devices: int) -> None:
    """Refused with what is expected."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "boards", "--emulate", str(devices)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"error: emulated FPGAs: expected 1 to 64 devices, got {devices}\n"


def test_boards_come_first_and_are_counted() -> None:
    """Two boards that differ in their slots are shown apart, with the missing compiler and cables named."""
    second = D5005.replace("ee00000", "ee00001")
    platforms = read_devices([a_platform(SDK, a_device(), a_device(second))])
    missing = missing_here(platforms, NO_TOOLS, (), emulation="", linked=False)
    text = "\n".join(as_lines(Discovery(platforms.devices, NO_TOOLS, (), None, missing)))
    assert text.startswith("2 boards\n")
    assert "board     pac_s10, pac_ee00000" in text
    assert "board     pac_s10, pac_ee00001" in text
    assert "memory    32.0 GiB\n" in text
    assert "no offline compiler" in text
    assert "no cables" in text
    assert "no board" not in text
    assert missing_here(platforms, (AOC,), (), emulation="", linked=True) == ()


def test_boards_without_a_bitstream_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Once a kind of board, with the command that makes one."""
    second = D5005.replace("ee00000", "ee00001")
    boards = read_devices([a_platform(SDK, a_device(), a_device(second))])
    monkeypatch.setattr("bench.boards.discovery.find_devices_apart", lambda settings: boards)
    monkeypatch.chdir(tmp_path)
    told = [text for text in discover().missing if text.startswith("no bitstream")]
    assert [text.rpartition(": ")[2] for text in told] == ["`bench boards build --board pac_s10_dc`"]


def test_cards_without_a_driver_are_told() -> None:
    """A card on the PCI bus that OpenCL does not see: the SDK and the support package are named."""
    card = Card("0000:3b:00.0", "0x8086", "0x0b2b", "Intel PAC D5005")
    (board, *_) = missing_here(Platforms(()), NO_TOOLS, (card,), emulation="", linked=False)
    assert "Intel PAC D5005 at 0000:3b:00.0" in board
    assert "Intel's FPGA SDK for OpenCL" in board


def test_cards_are_found_by_their_ids(tmp_path: Path) -> None:
    """Two vendors' ids count; a network card of Intel's, and an entry that cannot be read, do not."""
    ids = {
        "0000:01:00.0": ("0x8086", "0x0b2b"),
        "0000:02:00.0": ("0x1172", "0x2494"),
        "0000:03:00.0": ("0x8086", "0x1572"),
    }
    for address, values in ids.items():
        (tmp_path / address).mkdir()
        for name, value in zip(("vendor", "device"), values, strict=True):
            (tmp_path / address / name).write_text(f"{value}\n", encoding="utf-8")
    (tmp_path / "0000:04:00.0").mkdir()
    cards = find_cards(tmp_path)
    assert [(card.address, card.what) for card in cards] == [
        ("0000:01:00.0", "Intel PAC D5005"),
        ("0000:02:00.0", "Altera or Intel FPGA card"),
    ]
    assert find_cards(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("script", "version"),
    [
        (
            "echo 'Intel(R) FPGA SDK for OpenCL(TM) Compiler'; echo 'Version 20.4.0 Build 72'",
            "20.4.0",
        ),
        ("echo usage >&2; exit 1", None),
    ],
)
def test_the_compiler_on_path_says_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, version: str | None
) -> None:
    """`aoc` is found and asked; one that does not say its version is found all the same."""
    compiler = tmp_path / "aoc"
    compiler.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert find_tools()[0] == Tool("aoc", str(compiler), version)


def test_a_discovery_is_plain_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value of it can be written and read again."""
    monkeypatch.setitem(sys.modules, "pyopencl", None)
    value = as_object(discover())
    assert json.loads(json.dumps(value)) == value
    assert value["devices"] == []
    assert value["links"] is None


def test_kinds_are_words() -> None:
    """The words of the list, of JSON and of result rows are the same."""
    assert [str(kind) for kind in Kind] == ["board", "emulated FPGA", "CPU", "GPU", "other"]
