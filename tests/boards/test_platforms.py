"""Devices as pyopencl would describe them: what each is called, and what it could run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.boards.platforms import Device, Kind, kind_of, read_devices

SDK = "Intel(R) FPGA SDK for OpenCL(TM)"
EMULATION = "Intel(R) FPGA Emulation Platform for OpenCL(TM)"
D5005 = "pac_s10 : Intel PAC Platform (pac_ee00000)"
ACCELERATOR, CPU, GPU, CUSTOM = 8, 2, 4, 16


def a_device(name: str = D5005, kind: int = ACCELERATOR, extensions: str = "cl_khr_fp64") -> Any:
    """A stand-in for a pyopencl device."""
    return SimpleNamespace(
        name=name, type=kind, driver_version="20.4", global_mem_size=32 << 30, extensions=extensions
    )


def a_platform(name: str, *devices: Any) -> Any:
    """A stand-in for a pyopencl platform."""
    return SimpleNamespace(name=name, version="OpenCL 1.0", get_devices=lambda: list(devices))


def the_device(platform: str, device: Any) -> Device:
    """The one device of one platform."""
    found = read_devices([a_platform(platform, device)])
    assert not found.problems
    return found.devices[0]


@pytest.mark.parametrize(
    ("platform", "device", "device_type", "kind"),
    [
        (SDK, D5005, ACCELERATOR, Kind.BOARD),
        (EMULATION, "Intel(R) FPGA Emulation Device", ACCELERATOR, Kind.EMULATED),
        (EMULATION, D5005, ACCELERATOR, Kind.EMULATED),
        (SDK, "EmulatorDevice : Emulated Device", ACCELERATOR, Kind.EMULATED),
        (SDK, D5005, CPU, Kind.CPU),
        ("Portable Computing Language", "pthread", CPU, Kind.CPU),
        ("NVIDIA CUDA", "H100", GPU, Kind.GPU),
        ("Somebody's", "FPGA", ACCELERATOR, Kind.OTHER),
        ("Somebody's", "thing", CUSTOM, Kind.OTHER),
    ],
)
def test_only_a_real_board_is_called_one(platform: str, device: str, device_type: int, kind: Kind) -> None:
    """A board's platform is called FPGA, nothing there is called an emulation, and it is no processor."""
    assert kind_of(platform, device, device_type) is kind


def test_the_board_name_is_read_from_the_device_name() -> None:
    """The support package stands before the colon, which board it is in brackets at the end."""
    board = the_device(
        SDK, a_device("p520_max_sg280l : BittWare Stratix 10 OpenCL platform (aclbitt_s10_pcie0)")
    )
    assert (board.board, board.slot) == ("p520_max_sg280l", "aclbitt_s10_pcie0")
    assert "links to other boards, 4 channels" in board.runs()
    assert board.lacks() == []


def test_a_board_whose_name_says_nothing_is_still_a_board() -> None:
    """Then its channels to others are not known, and the user is told to say them."""
    board = the_device(SDK, a_device("FPGA card"))
    assert (board.kind, board.board, board.slot) == (Kind.BOARD, None, None)
    assert any("a file of cables must say" in text for text in board.lacks())


def test_a_d5005_has_no_links_of_its_own() -> None:
    """No channel from card to card is known of it, so the host hands messages on."""
    board = the_device(SDK, a_device())
    assert (board.board, board.io_channels) == ("pac_s10", 0)
    assert any("through the host" in text for text in board.lacks())


def test_what_a_processor_lacks_is_told() -> None:
    """Without double precision it runs nothing; that and the channels are named with their extensions."""
    device = the_device("Portable Computing Language", a_device("pthread", CPU, "cl_khr_icd"))
    assert device.runs() == []
    assert [text.partition("(")[2].partition(")")[0] for text in device.lacks()] == [
        "no cl_khr_fp64",
        "no cl_intel_channels",
    ]


def test_a_device_that_vanishes_costs_itself() -> None:
    """The others are listed under their own numbers, and a sentence says which does not answer."""

    class Gone:
        @property
        def name(self) -> str:
            raise RuntimeError("DEVICE_NOT_AVAILABLE")

    broken = SimpleNamespace(name="Broken", get_devices=lambda: 1 / 0)
    found = read_devices([broken, a_platform(SDK, Gone(), a_device()), a_platform("Empty")])
    assert [device.place for device in found.devices] == ["1:1"]
    assert [text.partition(":")[0] for text in found.problems[:1]] == ["platform 0 does not answer"]
    assert "device 1:0" in found.problems[1]
    assert "DEVICE_NOT_AVAILABLE" in found.problems[1]
    assert found.problems[2] == "platform 2, Empty, has no device"
