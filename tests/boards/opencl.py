"""What OpenCL a test sees: nothing, PoCL alone, or Intel's emulated FPGAs alone; and skips with reasons.

The OpenCL loader reads its environment once a process, so a test that chooses runs a child process
with `seeing_nothing`, `seeing_pocl` or `seeing_emulated` as its environment.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.boards.intel_emulator import emulator_environment, why_no_emulator, why_no_pyopencl

VENDORS = Path("/etc/OpenCL/vendors")


def why_no_pocl() -> str:
    """Why PoCL cannot be used here; empty if it can."""
    if missing := why_no_pyopencl():
        return missing
    return "" if pocl_icd() else f"no PoCL in {VENDORS} (Debian's package is pocl-opencl-icd)"


def pocl_icd() -> Path | None:
    """The file that tells the OpenCL loader where PoCL's library is."""
    files = sorted(VENDORS.glob("*.icd")) if VENDORS.is_dir() else []
    return next((file for file in files if "pocl" in file.read_text(encoding="utf-8").lower()), None)


requires_pyopencl = pytest.mark.skipif(bool(why_no_pyopencl()), reason=why_no_pyopencl())
requires_intel_emulator = pytest.mark.skipif(bool(why_no_emulator()), reason=why_no_emulator())
requires_pocl = pytest.mark.skipif(bool(why_no_pocl()), reason=why_no_pocl())


def seeing_nothing(folder: Path) -> dict[str, str]:
    """An environment without an OpenCL platform; ``folder`` takes caches and an empty list of vendors."""
    vendors = folder / "no-vendors"
    vendors.mkdir(exist_ok=True)
    return _environment(folder, {"OCL_ICD_VENDORS": str(vendors)})


def seeing_pocl(folder: Path, devices: int = 1) -> dict[str, str]:
    """An environment in which PoCL is the one platform, with ``devices`` CPU devices."""
    several = {"POCL_DEVICES": " ".join(["pthread"] * devices)}
    return _environment(folder, {"OCL_ICD_VENDORS": str(pocl_icd()), **several})


def seeing_emulated(folder: Path, devices: int) -> dict[str, str]:
    """An environment in which Intel's emulation is the one platform, with ``devices`` FPGAs."""
    return _environment(folder, emulator_environment(devices))


def _environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """This process's environment with ``settings``, without other OpenCL settings, caches in ``folder``."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("OCL_", "CL_", "POCL_"))
    }
    caches = {"POCL_CACHE_DIR": str(folder / "pocl"), "XDG_CACHE_HOME": str(folder / "cache")}
    return {**ours, **caches, **settings}
