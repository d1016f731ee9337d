"""Hardware by name: profiles from `hw_profiles/` or a file of the user's, and clusters of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from bench.errors import UserError, unknown_name
from bench.files import shown
from bench.hardware.cables import torus_shape
from bench.hardware.extends import read_whole
from bench.hardware.profile import TOPOLOGIES, Cluster, LinkProfile, Profile
from bench.hardware.variants import vary_profile
from bench.installed import yaml_files
from bench.variants import split_reference

HW_PROFILES = Path(__file__).resolve().parents[2] / "hw_profiles"

GROUP = "bench.profiles"
"""Of the entry points by which packages offer profiles."""

HOST_LINK = "host-pcie"
"""The link that `host-star` takes if none is named."""

MOST_FPGAS = {
    "ring": 1024,
    "ring-bidirectional": 1024,
    "chain": 1024,
    "torus-2d": 1024,
    "fully-connected": 64,
    "switch": 64,
    "host-star": 64,
}
"""Topology -> devices it takes at most: ports of one switch, slots of hosts, or what is simulated."""


def profile_names(folder: Path = HW_PROFILES) -> list[str]:
    """Names of the profiles in ``folder``, sorted; beside our own, those that installed packages offer."""
    return sorted(_profile_files(folder))


def profile_file(name: str, folder: Path = HW_PROFILES) -> Path:
    """The file of the profile called ``name``; UserError with the nearest names if there is none."""
    files = _profile_files(folder)
    if name not in files:
        raise unknown_name("profile", name, files)
    return files[name]


def _profile_files(folder: Path) -> dict[str, Path]:
    """Name -> file; UserError if two have one name."""
    files = {path.stem: path for path in folder.glob("*.yaml")}
    for path, place in yaml_files(GROUP) if folder == HW_PROFILES else []:
        if path.stem in files:
            raise UserError(
                f"two profiles are called {path.stem!r}: {shown(files[path.stem])} and in {place}"
            )
        files[path.stem] = path
    return files


def load_profile(name_or_path: str, *, folder: Path = HW_PROFILES) -> Profile:
    """The profile called so in ``folder``, or the one in a YAML file (a path ending in .yaml or .yml).

    A file with ``extends`` is completed from the profile that it names. Behind a question mark
    numbers are replaced (`bench.hardware.variants`). Raises UserError: unknown name (with the
    nearest ones), or all that is wrong in the file or those that it extends.
    """
    if "?" in name_or_path:
        name, changes = split_reference(name_or_path)
        return vary_profile(load_profile(name, folder=folder), name_or_path, changes)
    if name_or_path.endswith((".yaml", ".yml")):
        return read_whole(Path(name_or_path), lambda name: profile_file(name, folder)).profile()
    path = profile_file(name_or_path, folder)
    profile = read_whole(path, lambda name: profile_file(name, folder)).profile()
    if profile.name != name_or_path:
        raise UserError(
            f"{path}: name: is {profile.name!r}; expected {name_or_path!r}, as the file is called"
        )
    return profile


def make_cluster(
    profile: Profile,
    fpgas: int,
    topology: str,
    link: str | None = None,
    link_latency_ns: float | None = None,
) -> Cluster:
    """``fpgas`` devices of ``profile`` in ``topology``, joined by ``link``.

    Without ``link``: the host link for `host-star` if the profile has one, else the
    profile's first. ``link_latency_ns`` replaces that link's latency. Raises UserError:
    unknown topology or link, more FPGAs than the topology takes, a latency below 0.
    """
    if topology not in TOPOLOGIES:
        raise unknown_name("topology", topology, TOPOLOGIES)
    chosen = _link(profile, topology, link)
    _check_count(profile, fpgas, topology)
    if link_latency_ns is not None:
        if not (math.isfinite(link_latency_ns) and link_latency_ns >= 0):
            raise UserError(f"link latency: got {link_latency_ns} ns; expected a number of 0 or more")
        slower = replace(chosen, latency_ns=float(link_latency_ns))
        links = tuple(slower if one is chosen else one for one in profile.links)
        profile = replace(profile, links=links)
    return Cluster(profile, fpgas, topology, chosen.name)


def _link(profile: Profile, topology: str, name: str | None) -> LinkProfile:
    names = [link.name for link in profile.links]
    if name is None:
        name = HOST_LINK if topology == "host-star" and HOST_LINK in names else names[0]
    if name not in names:
        raise UserError(f"unknown link {name!r}; profile {profile.name} has: {', '.join(names)}")
    return profile.link(name)


def _check_count(profile: Profile, fpgas: int, topology: str) -> None:
    if fpgas < 1:
        raise UserError(f"fpgas: got {fpgas}; expected 1 or more")
    most = MOST_FPGAS[topology]
    reason = f"topology {topology} takes {most} at most"
    ports = profile.network_ports
    if topology == "fully-connected" and ports is not None and ports + 1 < most:
        most = ports + 1
        reason = (
            f"topology fully-connected joins each card to all others, and a card of profile "
            f"{profile.name} has {ports} network ports, so it takes {most} at most"
        )
    if fpgas > most:
        raise UserError(f"fpgas: got {fpgas}; {reason}")
    if topology == "torus-2d" and fpgas > 3 and torus_shape(fpgas)[0] == 1:
        raise UserError(
            f"fpgas: got {fpgas}; topology torus-2d needs a x b cards with a and b of 2 or more, "
            f"and {fpgas} is prime; use {fpgas - 1} or {fpgas + 1}, or topology ring"
        )
