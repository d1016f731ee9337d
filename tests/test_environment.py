"""The environment: the list of packages, its lock and the conda file say the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec

from bench.boards.intel_emulator import PACKAGE, SIBLINGS

EXTRAS = ["field", "boards"]
LOCKS = ["requirements.lock", "bootstrap.lock", "field.lock", "boards.lock", "slurm.lock", "kubernetes.lock"]
FIXED = ["jupyter", "numpy", "pandas", "pytest-benchmark", "snakemake"]
# `==` to the end of the line is the version and, after a semicolon, its environment marker.
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>[^\\]*)")


def _project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def _listed(root: Path) -> list[Requirement]:
    """All requirements of pyproject.toml: those of the package, of its groups and of the build."""
    data = _project(root)
    lists = [
        data["project"]["dependencies"],
        *data["dependency-groups"].values(),
        data["build-system"]["requires"],
    ]
    return [Requirement(text) for texts in lists for text in texts]


def _entries(lock: Path) -> list[str]:
    """The lock's entries, one text each: the pin and its hashes."""
    return re.split(r"\n(?=\S)", lock.read_text().strip())


def _pins(lock: Path) -> dict[str, list[Version]]:
    pins: dict[str, list[Version]] = {}
    for entry in _entries(lock):
        if match := PIN.match(entry):
            pins.setdefault(canonicalize_name(match["name"]), []).append(Version(match["version"]))
    return pins


def _conda(root: Path) -> tuple[list[str], list[str]]:
    """The specs of environment.yml that conda reads, and the lines it hands to pip."""
    parts = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    specs = [part for part in parts if isinstance(part, str)]
    pip = [line for part in parts if isinstance(part, dict) for line in part["pip"]]
    return specs, pip


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_of_a_lock_is_a_pin_with_hashes(root: Path, name: str) -> None:
    """A lock holds exact versions and SHA-256 hashes, nothing else."""
    for entry in _entries(root / name):
        assert PIN.match(entry), f"{name}: not a pin: {entry.splitlines()[0]}"
        hashes = entry.split("--hash=")[1:]
        assert hashes, f"{name}: no hash: {entry.splitlines()[0]}"
        assert all(re.match(r"sha256:[0-9a-f]{64}\b", text) for text in hashes)


@pytest.mark.parametrize("name", [*LOCKS, "environment.yml", "pyproject.toml"])
def test_no_address_of_an_index(root: Path, name: str) -> None:
    """The packages are named by version and hash, so that any index or mirror can serve them."""
    found = re.findall(r"\S*://\S*|--(?:extra-)?index\S*|--?find-links\S*|-f\s", (root / name).read_text())
    assert not found


@pytest.mark.parametrize("name", FIXED)
def test_fixed_dependencies_are_listed(root: Path, name: str) -> None:
    """The five packages that the project is fixed to are dependencies of the package itself."""
    listed = {canonicalize_name(Requirement(text).name) for text in _project(root)["project"]["dependencies"]}
    assert name in listed


def test_every_dependency_is_locked_at_a_version_it_allows(root: Path) -> None:
    """Editing pyproject.toml without `make lock` fails here."""
    pins = _pins(root / "requirements.lock")
    for requirement in _listed(root):
        versions = pins.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement} is not in requirements.lock: run `make lock`"
        outside = [str(v) for v in versions if v not in requirement.specifier]
        assert not outside, f"requirements.lock has {requirement.name} {outside}, not {requirement}"


def test_both_locks_agree(root: Path) -> None:
    """What makes the environment is the version that the environment then holds."""
    locked = _pins(root / "requirements.lock")
    for name, versions in _pins(root / "bootstrap.lock").items():
        assert locked[name] == versions


@pytest.mark.parametrize("extra", EXTRAS)
def test_extras_are_locked_apart(root: Path, extra: str) -> None:
    """`make field` and `make boards` add packages at versions that the extra allows, and change no other."""
    pins = _pins(root / f"{extra}.lock")
    for text in _project(root)["project"]["optional-dependencies"][extra]:
        requirement = Requirement(text)
        versions = pins.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement} is not in {extra}.lock: run `make lock`"
        assert all(version in requirement.specifier for version in versions)
    assert not pins.keys() & _pins(root / "requirements.lock").keys()


def test_conda_file_parses_strictly(root: Path) -> None:
    """Every spec of environment.yml is one that conda's own strict grammar accepts."""
    specs, _ = _conda(root)
    names = {MatchSpec(spec, strict=True).name.normalized for spec in specs}
    assert names == {"python", "pip", "make"}


def test_conda_python_is_one_the_project_supports(root: Path) -> None:
    """The interpreter that conda brings is within requires-python."""
    spec = next(spec for spec in _conda(root)[0] if spec.startswith("python "))
    minor = re.fullmatch(r"python =(3\.\d+)", spec)
    assert minor, f"expected 'python =3.N' in environment.yml, found {spec!r}"
    assert SpecifierSet(_project(root)["project"]["requires-python"]).contains(f"{minor[1]}.0")


def test_conda_installs_the_same_lock(root: Path) -> None:
    """Both ways of installing take the same packages, by hash."""
    _, pip = _conda(root)
    assert pip == ["--require-hashes", "-r requirements.lock"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_extras_are_installed_alike(root: Path, extra: str) -> None:
    """`make EXTRA`, and who follows environment.yml, run pip with the same options on the extra's lock."""
    command = re.compile(rf"pip install (.*-r {extra}\.lock)$", re.MULTILINE)
    (ours,) = command.findall((root / "Makefile").read_text())
    (theirs,) = command.findall((root / "environment.yml").read_text())
    assert ours.split() == ["-qq", *theirs.split()]
    assert {"--no-deps", "--require-hashes"} <= {*theirs.split()}


def test_make_env_goes_on_without_the_tools_of_the_field(root: Path, tmp_path: Path) -> None:
    """Where they cannot be installed, `make env` says what that means and succeeds; `make field` fails."""
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text("#!/bin/sh\necho 'no matching distribution' >&2\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    for name in ("Makefile", *LOCKS, "pyproject.toml"):
        shutil.copy(root / name, tmp_path)
    for name in (".bootstrap", ".stamp"):  # made last, so that nothing but the tools is missing
        (venv / name).touch()
    env, field = (
        subprocess.run(["make", goal], cwd=tmp_path, text=True, capture_output=True, check=False)
        for goal in ("env", "field")
    )
    assert env.returncode == 0
    assert "will say `unsupported`; `make field` tries again" in env.stderr
    assert field.returncode != 0


def test_intel_packages_are_one_release_for_one_machine(root: Path) -> None:
    """The emulation loads libraries of two more packages, of its own release; all are for x86-64 alone."""
    entries = [match for text in _entries(root / "boards.lock") if (match := PIN.match(text))]
    intel = {match["name"]: match for match in entries if match["name"].startswith("intel-")}
    release = {intel[name]["version"] for name in (PACKAGE, *SIBLINGS)}
    assert len(release) == 1
    assert all("platform_machine == 'x86_64'" in match["rest"] for match in intel.values())


def test_make_test_tries_boards_unless_told_not_to(root: Path, tmp_path: Path) -> None:
    """`make test` installs boards.lock, `make test BOARDS=no` does not, and `make env` never does."""
    (tmp_path / ".venv").mkdir()
    for name in ("Makefile", *LOCKS, "pyproject.toml"):
        shutil.copy(root / name, tmp_path)
    for name in (".bootstrap", ".stamp"):
        (tmp_path / ".venv" / name).touch()
    tried = {
        goals: "-r boards.lock"
        in subprocess.run(
            ["make", "-n", *goals], cwd=tmp_path, text=True, capture_output=True, check=True
        ).stdout
        for goals in (("test",), ("test", "BOARDS=no"), ("env",))
    }
    assert tried == {("test",): True, ("test", "BOARDS=no"): False, ("env",): False}


def test_make_test_goes_on_without_boards(root: Path, tmp_path: Path) -> None:
    """Where boards.lock cannot be installed, `make test` says what that means and runs the tests."""
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    for name in ("python", "ruff", "mypy", "snakefmt"):
        tool = venv / "bin" / name
        tool.write_text('#!/bin/sh\ncase "$*" in *boards.lock) exit 1;; *pytest*) echo tested;; esac\n')
        tool.chmod(0o755)
    for name in ("Makefile", *LOCKS, "pyproject.toml"):
        shutil.copy(root / name, tmp_path)
    for name in (".bootstrap", ".stamp"):
        (venv / name).touch()
    # a make that runs this test must not tell its options to the one within it
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    done = subprocess.run(
        ["make", "test"], cwd=tmp_path, env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "the tests that run on emulated FPGAs skip" in done.stderr
    assert done.stdout.splitlines()[-1] == "tested"


def test_versions_agree(root: Path) -> None:
    """The citation names the version that the package has."""
    import bench

    assert yaml.safe_load((root / "CITATION.cff").read_text())["version"] == bench.__version__
