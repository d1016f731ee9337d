"""Intel's FPGA emulation platform, as packages of the Python index bring it (`make boards`).

The packages' own ``.icd`` files name a placeholder path, so the OpenCL loader is pointed at the
library itself. It reads its settings once, when pyopencl is imported: they are for the environment
of a new process.
"""

from __future__ import annotations

import importlib.util
import platform
from importlib import metadata
from pathlib import Path

from bench.errors import UserError

PACKAGE = "intel-opencl-fpga-emu-rt"
LIBRARY = "libintelocl_emu.so"
SIBLINGS = ("intel-opencl-rt", "intel-cmplr-lib-rt")
"""Packages of the same release that the library loads, although it declares no dependencies."""
OTHERS = ("tbb", "tcmlib")
INSTALL = "`make boards` installs it"
MOST_DEVICES = 64
"""More than any cluster here; each emulated device costs threads when it is used."""


def why_no_pyopencl() -> str:
    """Why pyopencl cannot be imported, in words for a user; empty if it can."""
    if importlib.util.find_spec("pyopencl") is None:
        return f"pyopencl is not installed ({INSTALL})"
    return ""


def why_no_emulator() -> str:
    """Why Intel's emulated FPGAs cannot be used here, in words for a user; empty if they can."""
    if missing := why_no_pyopencl():
        return missing
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"Intel's FPGA emulation exists for x86-64 alone, and this machine is {platform.machine()}"
    own = _version(PACKAGE)
    if own is None:
        return f"Intel's FPGA emulation is not installed (package {PACKAGE}; {INSTALL})"
    for name in SIBLINGS:
        if (found := _version(name)) != own:
            return f"{PACKAGE} {own} needs {name} {own}, found {found or 'none'} ({INSTALL})"
    for name in OTHERS:
        if _version(name) is None:
            return f"{PACKAGE} {own} needs {name}, found none ({INSTALL})"
    if _library() is None:
        return f"{PACKAGE} {own} is installed without its {LIBRARY}; reinstall it"
    return ""


def emulator_environment(devices: int) -> dict[str, str]:
    """Variables with which a new process sees ``devices`` emulated FPGAs, and no other OpenCL platform.

    They must be set before pyopencl is imported. Raises UserError: too few or too many devices,
    or the emulation is not there.
    """
    if not 1 <= devices <= MOST_DEVICES:
        raise UserError(f"emulated FPGAs: expected 1 to {MOST_DEVICES} devices, got {devices}")
    if reason := why_no_emulator():
        raise UserError(f"no emulated FPGAs: {reason}")
    return {"OCL_ICD_VENDORS": str(_library()), "CL_CONFIG_CPU_EMULATE_DEVICES": str(devices)}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _library() -> Path | None:
    """Where the packages have put the emulation's library."""
    for file in metadata.files(PACKAGE) or ():
        path = Path(str(file.locate())).resolve()
        if file.name == LIBRARY and path.is_file():
            return path
    return None
