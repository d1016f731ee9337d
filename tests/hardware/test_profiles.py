"""Profile files: the shipped ones, the schema, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.errors import UserError
from bench.evaluate import emulated_cycles, evaluate
from bench.hardware.describe import describe
from bench.hardware.files import HW_PROFILES, load_profile, make_cluster, profile_names
from bench.hardware.profile import Arithmetic, Profile
from bench.hardware.schema import schema_text
from bench.partitioners import load_partitioner
from bench.workloads.catalogue import load_workload

ROOT = HW_PROFILES.parent
GUIDE = (ROOT / "docs/add-a-profile.md").read_text(encoding="utf-8")


def guide_example() -> str:
    """The whole profile of docs/add-a-profile.md."""
    match = re.search(r"```yaml\n(# yaml-language-server.*?)```", GUIDE, re.DOTALL)
    assert match
    return match[1]


def refused(tmp_path: Path, old: str, new: str) -> str:
    """The message about the guide's example with ``old`` replaced by ``new``."""
    text = guide_example()
    assert old in text
    path = tmp_path / "my-board.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_profile(str(path))
    assert "my-board.yaml" in str(caught.value)
    return str(caught.value)


@pytest.fixture(params=profile_names())
def profile(request: pytest.FixtureRequest) -> Profile:
    """Each shipped profile."""
    return load_profile(request.param)


def test_shipped_names() -> None:
    """The profiles that the documentation names are there."""
    assert {
        "s10-gx2800-dac20",
        "s10-gx2800-fccm19",
        "brainwave-s10",
        "s10-mx2100",
        "s10-nx2100",
        "s10-nx2100-npusim",
    } <= set(profile_names())


def test_links_of_shipped(profile: Profile) -> None:
    """All profiles have the same four links; the ring of the paper is the default of the paper's only.

    The paper's profile has two more, which are hypothetical and say so. One that is no Stratix 10 has
    measured links of its maker's cards.
    """
    if profile.name == "versal-vc1902-projection":
        assert [link.name for link in profile.links] == ["aurora-100g", "ethernet-100g", "host-pcie"]
        return
    paper = {link.name: link for link in load_profile("s10-gx2800-dac20").links}
    reference = {name: link for name, link in paper.items() if not name.startswith("hypothetical-")}
    own = paper if profile.name == "s10-gx2800-dac20" else reference
    assert {link.name: link for link in profile.links} == own
    assert set(reference) == {"dac20-ring", "520n-channel", "ethernet-100g", "host-pcie"}
    for name, factor in (("hypothetical-quarter", 4), ("hypothetical-fourfold", 0.25)):
        slower = replace(reference["dac20-ring"], name=name, ns_per_byte=0.17 * factor)
        assert paper[name] == slower
    default = "dac20-ring" if profile.name == "s10-gx2800-dac20" else "520n-channel"
    assert profile.link().name == default


def test_schema_comment(profile: Profile) -> None:
    """Each shipped file tells editors its schema."""
    first = (HW_PROFILES / f"{profile.name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../docs/schemas/profile.schema.json"


@pytest.mark.parametrize(
    ("name", "macs", "tops"),
    [
        ("s10-gx2800-dac20", 19_200, 10.56),
        ("brainwave-s10", 96_000, 48.0),
        ("s10-mx2100", 12_800, 7.42),
        ("s10-nx2100", 67_200, 40.32),
    ],
)
def test_published_peaks(name: str, macs: int, tops: float) -> None:
    """Peaks agree with the papers (FPT 2020, Table I; ISCA 2018, Table III)."""
    profile = load_profile(name)
    assert profile.overlay.macs_per_cycle == macs
    assert 2e-6 * macs * profile.clock_mhz == pytest.approx(tops, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("s10-gx2800-fccm19", 8 * 1536**2),  # FCCM 2019, Table V, LSTM-1536
        ("s10-gx2800-6t400d", 8 * 1536**2),  # FCCM 2019, Table I, LSTM-1536
        ("brainwave-s10", 6 * 2816**2),  # ISCA 2018, Table V, GRU-2816
        ("s10-mx2100", 8 * 1024**2),
        ("s10-nx2100", 8 * 1024**2),  # FPT 2020, Table II, LSTM-1024
        ("s10-nx2100-npusim", 8 * 1024**2),
    ],
)
def test_published_runs_fit(name: str, weights: int) -> None:
    """The largest published run of each overlay fits its weight memory."""
    profile = load_profile(name)
    assert weights * profile.weight_bytes_per_element <= profile.weight_memory_bytes


def test_paper_ignores_capacity() -> None:
    """DAC 2020 simulates models beyond the on-chip memory; its profile says so, and no other does."""
    ignoring = [name for name in profile_names() if load_profile(name).ignore_weight_capacity]
    assert ignoring == ["s10-gx2800-dac20"]


def _mean_deviation(profile: Profile, fit: Fit) -> float:
    """Mean relative deviation of ``single`` from the published values of a fit."""
    cluster = make_cluster(profile, 1, "ring")
    partitioner = load_partitioner("single")
    total = 0.0
    for name, published in fit.rows.items():
        workload = load_workload(name)
        plan = partitioner.plan(workload, cluster, software_pipelining=fit.pipelined)
        total += abs(getattr(evaluate(workload, cluster, plan), fit.measure) / published - 1)
    return total / len(fit.rows)


class Fit(NamedTuple):
    """A fitted parameter: the overlay's field, values to choose from, and the rows it was fitted on."""

    profile: str
    field: str
    choices: range
    pipelined: bool
    measure: str
    rows: dict[str, float]
    rounding: float = 0.0
    """Half a unit of the last digit that the row prints, relative: the source tells no better."""


FITS = [
    Fit(
        "s10-gx2800-dac20",
        "row_block_overhead_cycles",
        range(6),
        True,
        "utilization",
        {
            "lstm-1024-b1-t32": 0.651,
            "lstm-2048-b1-t32": 0.786,
            "lstm-4096-b1-t32": 0.867,
            "gru-1024-b1-t32": 0.582,
            "gru-2048-b1-t32": 0.765,
            "gru-4096-b1-t32": 0.867,
        },
    ),
    Fit(
        "s10-gx2800-fccm19",
        "matrix_latency_cycles",
        range(30),
        False,
        "latency_s",
        {"rnn-1152-b1-t256": 0.21e-3, "rnn-1792-b1-t256": 0.433e-3},
    ),
    Fit(
        "s10-gx2800-fccm19",
        "step_interval_cycles",
        range(173, 194),
        False,
        "latency_s",
        {"lstm-256-b1-t150": 0.11e-3},
        0.0005 / 0.11,
    ),
    Fit(
        "s10-gx2800-fccm19",
        "input_load_cycles",
        range(101, 122),
        False,
        "latency_s",
        {"gru-512-b1-t1": 0.00145e-3},
        0.000005 / 0.00145,
    ),
    Fit(
        "s10-gx2800-6t400d",
        "vector_cycles",
        range(10, 17),
        False,
        "latency_s",
        {"lstm-1536-b1-t50": 0.104e-3},
    ),
    Fit(
        "brainwave-s10",
        "step_interval_cycles",
        range(620, 641),
        False,
        "latency_s",
        {"gru-1024-b1-t1500": 3.792e-3},
        0.0005 / 3.792,
    ),
    Fit(
        "brainwave-s10",
        "input_load_cycles",
        range(2800, 3300, 100),
        False,
        "latency_s",
        {"gru-512-b1-t1": 0.013e-3},
        0.0005 / 0.013,
    ),
]


@pytest.mark.parametrize("name", profile_names())
def test_at_most_five_fitted_parameters(name: str) -> None:
    """An overlay has at most five fitted numbers, and docs/fidelity.md lists how many."""
    text = (HW_PROFILES / f"{name}.yaml").read_text(encoding="utf-8")
    overlay = text[text.index("\noverlay:") : text.index("\nmemory:")]
    fitted = overlay.count("kind: fitted")
    assert fitted <= 5
    guide = (ROOT / "docs/fidelity.md").read_text(encoding="utf-8")
    listed = re.search(rf"\| `{name}` \| (\d) \|", guide)
    assert listed is None or int(listed[1]) == fitted


@pytest.mark.parametrize("fit", FITS, ids=[f"{fit.profile} {fit.field}" for fit in FITS])
def test_fitted_values_are_the_best_on_their_rows(fit: Fit) -> None:
    """No other value near by comes nearer to the rows that the profile names, as far as they are printed."""
    profile = load_profile(fit.profile)

    def deviation(value: int) -> float:
        overlay = replace(profile.overlay, **{fit.field: value})
        return _mean_deviation(replace(profile, overlay=overlay), fit)

    assert getattr(profile.overlay, fit.field) in fit.choices
    least = min(deviation(value) for value in fit.choices)
    assert deviation(getattr(profile.overlay, fit.field)) <= max(least, fit.rounding)


def _cycles(profile: Profile, name: str) -> int:
    """Cycles of a workload on one FPGA."""
    cluster = make_cluster(profile, 1, "ring")
    workload = load_workload(name)
    return emulated_cycles(workload, cluster, load_partitioner("single").plan(workload, cluster))


def test_start_of_the_nx_fits_its_row() -> None:
    """The one row that the start is fitted on comes out exactly."""
    assert _cycles(load_profile("s10-nx2100"), "gemv-512-b6-t1") == 266


def test_steps_of_an_nx_program_are_the_best_fit_on_their_row() -> None:
    """No other power of two comes nearer to 7.0 TOPS, FPT 2020, Table II, RNN, h = 512, 256 steps."""
    profile = load_profile("s10-nx2100")
    published = 256 * 6 * 4 * 512**2 / 7.0e12 * 300e6
    core = profile.overlay.batch_core
    assert core is not None

    def deviation(steps: int | None) -> float:
        overlay = replace(profile.overlay, batch_core=replace(core, program_steps=steps))
        return abs(_cycles(replace(profile, overlay=overlay), "rnn-512-b6-t256") / published - 1)

    best = min((1, 2, 4, 8, 16, 32, None), key=deviation)
    assert best == core.program_steps
    assert deviation(best) < 0.01


def test_only_the_nx_has_a_batch_core(profile: Profile) -> None:
    """Overlays without tensor blocks multiply one vector at a time."""
    assert (profile.overlay.batch_core is not None) == profile.name.startswith("s10-nx2100")
    assert (profile.overlay.vectors_per_pass > 1) == (profile.overlay.batch_core is not None)


@pytest.mark.parametrize(
    ("name", "arithmetic"),
    [
        ("s10-gx2800-dac20", Arithmetic("int8", "fixed27", 27)),
        ("s10-gx2800-fccm19", Arithmetic("int8", "fixed27", 27)),
        ("s10-nx2100", Arithmetic("int8", "fixed32", 32)),
        ("brainwave-s10", Arithmetic("bfp2", "float16", None)),
    ],
)
def test_arithmetic_of_published_overlays(name: str, arithmetic: Arithmetic) -> None:
    """FCCM 2019: 27-bit vector operations; FPT 2020: int32; ISCA 2018: 1s.5e.2m and float16."""
    assert load_profile(name).arithmetic == arithmetic


def test_schema_is_current() -> None:
    """docs/schemas/profile.schema.json is what the code generates."""
    path = ROOT / "docs/schemas/profile.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m bench.hardware.schema > docs/schemas/profile.schema.json"
    )


def test_guide_example(tmp_path: Path) -> None:
    """The example of docs/add-a-profile.md loads, in the units that the emulator wants."""
    path = tmp_path / "my-board.yaml"
    path.write_text(guide_example(), encoding="utf-8")
    profile = load_profile(str(path))
    assert profile.link().latency_ns == 700
    assert profile.link().ns_per_byte == 0.2
    assert profile.link().beat_bytes == 32
    assert profile.weight_memory_bytes == int(28 * 2**20 * 0.6)
    assert profile.partial_sum_bytes_per_element == 4
    assert profile.arithmetic == Arithmetic("int8", "fixed32", 32)
    assert make_cluster(profile, 2, "ring").link.name == "cable"
    assert load_profile("my-board", folder=tmp_path) == profile


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("value: 0.7, unit: us", "value: 0.7, unit: MHz", ["links[0].latency.unit", "'us'", "got 'MHz'"]),
        ("value: 28, unit: cycles", "value: -28, unit: cycles", ["overlay.matrix_latency.value", "got -28"]),
        ("value: 250", "value: 0", ["clock.value", "greater than 0", "got 0"]),
        ("value: 250", "value: .inf", ["clock.value", "finite"]),
        ("value: 2, unit: count", "value: 2.5, unit: count", ["overlay.tiles", "whole number"]),
        ("value: 60, unit: \"%\"", "value: 160, unit: \"%\"", ["memory.usable_fraction", "at most 1"]),
        (', source: "timing report of build 12"', "", ["clock.source", "missing"]),
        ('"timing report of build 12"', '" "', ["clock.source"]),
        ('{value: 250, unit: MHz, kind: measured, source: "timing report of build 12"}', "250",
         ["clock", "mapping", "got 250"]),
        ("kind: measured", "kind: guessed", ["clock.kind", "'assumed'", "got 'guessed'"]),
        ("kind: fitted", "kind: measured", ["overlay.input_load", "fitted_on"]),
        ("    bandwidth:",
         "    inverse_bandwidth: {value: 1, unit: ns/byte, kind: assumed, source: x}\n    bandwidth:",
         ["links[0]", "exactly one"]),
        ("  tiles:", "  tile:", ["overlay.tile", "did you mean 'tiles'"]),
        ("name: my-board", "name: my board", ["name", "got 'my board'"]),
        ("{value: int8, kind: published", "{value: int9, kind: published",
         ["arithmetic.matrix.value", "'int8'", "got 'int9'"]),
        ("  matrix: {value: int8,", "  matrix: {value: bfp2,", ["arithmetic", "width", "bfp2"]),
        ("  accumulator: {value: 32", "  accumulator: {value: 8", ["arithmetic.accumulator.value", "got 8"]),
        ('{value: fixed32, kind: published, source: "our design"}', "fixed32",
         ["arithmetic.vector", "mapping", "got 'fixed32'"]),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    """A mistake in a profile is one clear message with file, key, what was found and what is expected."""
    message = refused(tmp_path, old, new)
    for part in expected:
        assert part in message


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Two mistakes give two messages."""
    message = refused(tmp_path, "clock: {value: 250, unit: MHz", "clock: {value: -1, unit: ns")
    assert "clock.value" in message
    assert "clock.unit" in message


def test_twice_the_same_link(tmp_path: Path) -> None:
    """Two links of one name are refused."""
    block = guide_example().split("links:\n")[1].split("network_ports")[0]
    assert "twice here: cable" in refused(tmp_path, block, block + block)


def test_unknown_profile() -> None:
    """An unknown name is answered with the nearest ones."""
    with pytest.raises(UserError, match="did you mean 's10-gx2800-dac20'"):
        load_profile("s10-gx2800-dac2")


def test_missing_file(tmp_path: Path) -> None:
    """A path that is not there is a user's mistake."""
    with pytest.raises(UserError, match="no such file"):
        load_profile(str(tmp_path / "absent.yaml"))


def test_name_is_the_files(tmp_path: Path) -> None:
    """In a folder of profiles the name inside a file is the file's own."""
    (tmp_path / "other.yaml").write_text(guide_example(), encoding="utf-8")
    with pytest.raises(UserError, match="expected 'other'"):
        load_profile("other", folder=tmp_path)


def test_describe(profile: Profile) -> None:
    """The table names device, every link and the summary, in lines of bearable length."""
    text = describe(profile)
    assert profile.device in text
    assert all(link.name in text for link in profile.links)
    assert max(map(len, text.splitlines())) <= 110
