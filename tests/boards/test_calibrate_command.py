"""`bench boards calibrate`: rows in, a profile file out, or one clear line and nothing written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.boards.free import DEFAULT, free_parameters, value_of, with_values
from bench.boards.retime import Retimed
from bench.commands.boards_calibrate import calibrate_profile
from bench.errors import UserError
from bench.hardware.files import HW_PROFILES, load_profile
from bench.hardware.profile import Profile
from tests.boards.measurements import BASE, LINK, ONE, SEVERAL, measured_on, planned, row, write_rows
from tests.docs.markdown import examples, read, run, shortened

TRUTH = with_values(load_profile(BASE), free_parameters(DEFAULT, [LINK]), [240.0, 850.0, 0.2])


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Of boards with the profile `TRUTH`."""
    return [row(point) for point in measured_on(TRUTH, SEVERAL)]


def fit(
    files: list[Path], out: Path, base: str = BASE, free: tuple[str, ...] = (), **choices: bool
) -> Profile:
    """Calibrate and load what was written."""
    calibrate_profile(
        files,
        base,
        out,
        free,
        any_device=choices.get("any_device", False),
        force=choices.get("force", False),
        as_json=False,
    )
    return load_profile(str(out))


def test_the_file_that_is_written(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """It extends the profile, says what it was fitted on, and gives the latencies that are printed."""
    source = write_rows(tmp_path / "measured.jsonl", rows)
    out = tmp_path / "my-520n.yaml"
    code, printed = run(f"bench boards calibrate {source} --profile {BASE} --out {out} --json")
    assert code == 0
    profile = load_profile(str(out))
    assert profile.name == "my-520n"
    assert profile.extends == (BASE,)
    for free in free_parameters(DEFAULT, [LINK]):
        assert value_of(profile, free) == pytest.approx(value_of(TRUTH, free), rel=0.01)
    told = json.loads(printed)
    again = [Retimed(planned(*point)).latency_s(profile) for point in SEVERAL]
    assert [one["emulated_after_s"] for one in told["points"]] == again
    text = out.read_text(encoding="utf-8")
    assert hashlib.sha256(source.read_bytes()).hexdigest() in " ".join(text.split())
    assert profile.summary == f"{BASE} calibrated to 15 points measured on p520_max_sg280l"
    assert text.count("kind: fitted") == text.count("fitted_on:")
    assert str(tmp_path) not in text


def test_the_page_shows_what_is_printed(
    tmp_path: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example of docs/boards.md, on measurements made as the page says."""
    monkeypatch.chdir(tmp_path)
    write_rows(Path("boards.jsonl"), rows)
    shown = next(one for one in examples(read("docs/boards.md")) if "calibrate" in one.command)
    code, printed = run(shown.command)
    assert code == 0
    assert shortened(printed, shown.output) == shown.output


def test_what_is_printed(
    tmp_path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Each parameter before and after, each point, what was left out, and what is not determined."""
    monkeypatch.setenv("COLUMNS", "120")
    singles = [one for one in rows if one["fpgas"] == 1]
    wrong = {**rows[1], "termination": "wrong numbers", "latency_median_s": None}
    emulated = {**rows[1], "device_kind": "emulated FPGA", "board": None}
    fit([write_rows(tmp_path / "measured.jsonl", [*singles, wrong, emulated])], tmp_path / "mine.yaml")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "5 points measured on p520_max_sg280l"
    assert "left out: 1 row without a latency" in lines
    assert "left out: 1 row measured on emulated FPGA, no board (--any-device takes it)" in lines
    assert "clock 275 240 MHz less than 0.01%" in lines
    assert f"link_latency of {LINK} 1 as it was us these points do not tell" in lines
    assert any(line.startswith("lstm-512-b1-t5 single 1 ") and line.endswith("+0.0%") for line in lines)


def test_values_keep_the_unit_of_the_file(tmp_path: Path) -> None:
    """A bandwidth in GB/s stays one, and the other links keep what they have, sources and all."""
    link = "520n-channel"
    (free,) = free_parameters(["link_bandwidth"], [link])
    base = load_profile(BASE)
    truth = with_values(base, [free], [0.2])
    points = [planned(workload, partitioner, fpgas, BASE, link) for workload, partitioner, fpgas in SEVERAL]
    made = [
        row(point, latency_median_s=Retimed(point).latency_s(truth), latency_p99_s=None) for point in points
    ]
    out = tmp_path / "mine.yaml"
    profile = fit([write_rows(tmp_path / "measured.jsonl", made)], out, free=("link_bandwidth",))
    assert profile.link(link).ns_per_byte == pytest.approx(0.2, rel=0.01)
    assert profile.link(link).latency_ns == base.link(link).latency_ns
    assert profile.clock_mhz == base.clock_mhz
    assert [one for one in profile.links if one.name != link] == [
        one for one in base.links if one.name != link
    ]
    text = out.read_text(encoding="utf-8")
    assert "520n-channel has 9.871 GB/s" not in text
    assert f"{BASE} has 9.871 GB/s" in " ".join(text.split())


def test_a_profile_file_is_extended_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file finds the base from its own folder; calibrating again starts from the new one."""
    monkeypatch.chdir(tmp_path)
    Path("base-of-ours.yaml").write_text(
        f"extends: {BASE}\nname: base-of-ours\nclock: {{value: 0.3, unit: GHz, kind: own}}\n",
        encoding="utf-8",
    )
    Path("out").mkdir()
    planned_points = [planned(*point, "base-of-ours.yaml") for point in ONE]
    made = [
        row(point, latency_median_s=Retimed(point).latency_s(TRUTH), latency_p99_s=None)
        for point in planned_points
    ]
    profile = fit([write_rows(Path("measured.jsonl"), made)], Path("out/fitted.yaml"), "base-of-ours.yaml")
    assert profile.extends == ("../base-of-ours.yaml", BASE)
    assert profile.clock_mhz == pytest.approx(240.0, rel=1e-5)
    assert "unit: GHz" in Path("out/fitted.yaml").read_text(encoding="utf-8")


def test_what_is_no_board_never_passes_for_one(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """With --any-device, sources, summary, status and name say that no board was measured."""
    on = {"device_kind": "emulated FPGA", "board": None, "device": "Intel(R) FPGA Emulation Device"}
    source = write_rows(tmp_path / "measured.jsonl", [one | on for one in rows[:3]])
    with pytest.raises(
        UserError, match=r"no row to calibrate .* by: 3 x measured on emulated FPGA, no board"
    ):
        fit([source], tmp_path / "mine.yaml")
    with pytest.raises(UserError, match=r"is a projection and its name says so .*/mine-projection\.yaml"):
        fit([source], tmp_path / "mine.yaml", any_device=True)
    profile = fit([source], tmp_path / "mine-projection.yaml", any_device=True)
    assert profile.status == "projection"
    told = "emulated FPGA (Intel(R) FPGA Emulation Device), no board"
    assert profile.summary.endswith(told)
    stated = yaml.safe_load((tmp_path / "mine-projection.yaml").read_text(encoding="utf-8"))
    assert f"3 latencies measured on {told};" in stated["clock"]["source"]


def test_rows_of_one_kind_of_device_alone(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows of two boards are refused, with the file of each."""
    one = write_rows(tmp_path / "one.jsonl", rows[:2])
    other = write_rows(tmp_path / "other.jsonl", [{**rows[2], "board": "pac_s10_dc"}])
    with pytest.raises(UserError, match=r"p520_max_sg280l \(.*one\.jsonl\), pac_s10_dc \(.*other\.jsonl\)"):
        fit([one, other], tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "line 2: point_id: field required; expected a row"),
        ({"fpgas": "2"}, "line 2: fpgas: input should be a valid integer, got '2'"),
        ({"device_kind": "FPGA"}, "line 2: device_kind: input should be 'board'"),
        ({"latency_median_s": -1.0}, "line 2: latency_median_s: input should be greater than 0, got -1.0"),
    ],
)
def test_a_broken_line_refuses_the_file(
    change: dict[str, Any] | None, message: str, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    """The message names file, line, key and value; nothing is written."""
    broken = {} if change is None else rows[0] | change
    source = write_rows(tmp_path / "measured.jsonl", [rows[0], broken])
    with pytest.raises(UserError, match=r"measured\.jsonl: " + message):
        fit([source], tmp_path / "mine.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["measured.jsonl"]


def test_a_file_that_is_not_whole(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Cut short or changed by hand, it is refused: points that are missing would not be missed."""
    source = write_rows(tmp_path / "measured.jsonl", rows)
    whole = source.read_text(encoding="utf-8")
    source.write_text(whole[: len(whole) // 2], encoding="utf-8")
    with pytest.raises(UserError, match=r"measured\.jsonl: cut short: .* as it was written"):
        fit([source], tmp_path / "mine.yaml")
    source.write_text(whole.replace("gate-wise", "row-wise"), encoding="utf-8")
    with pytest.raises(UserError, match=r"measured\.jsonl: changed since it was written"):
        fit([source], tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"emulated_latency_s": 1.0}, "whose plan has changed since"),
        ({"point_id": "0"}, "of partitioner single, which is no built-in one"),
        ({"profile": "s10-gx2800-fccm19"}, "of profile s10-gx2800-fccm19"),
        ({"profile": "gone.yaml"}, r"of profile gone\.yaml, which is not here"),
        ({"status": "unsupported", "latency_median_s": None}, "without a latency"),
    ],
)
def test_rows_that_are_of_no_use(
    change: dict[str, Any], reason: str, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    """They are left out with a reason, and where all are, there is no profile."""
    source = write_rows(tmp_path / "measured.jsonl", [rows[0] | change])
    with pytest.raises(UserError, match=f"no row to calibrate {BASE} by: 1 x {reason}"):
        fit([source], tmp_path / "mine.yaml")


def test_what_is_asked_for_wrongly(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Missing and empty files, unknown names, and files that must not be written."""
    source = write_rows(tmp_path / "measured.jsonl", rows[:1])
    out = tmp_path / "mine.yaml"
    with pytest.raises(UserError, match=r"measured\.json: no such file; did you mean 'measured\.jsonl'"):
        fit([tmp_path / "measured.json"], out)
    with pytest.raises(UserError, match="by: no rows at all"):
        fit([write_rows(tmp_path / "empty.jsonl", [])], out)
    with pytest.raises(UserError, match="unknown profile 's10-gx2800-dac21'; did you mean"):
        fit([source], out, "s10-gx2800-dac21")
    with pytest.raises(UserError, match="--free 'tiles': expected one of clock, link_latency, "):
        fit([source], out, free=("tiles",))
    with pytest.raises(UserError, match="the points determine none of link_latency of dac20-ring; nothing"):
        fit([source], out, free=("link_latency",))
    with pytest.raises(UserError, match=r"expected a file that ends in \.yaml"):
        fit([source], tmp_path / "mine.txt")
    with pytest.raises(UserError, match="a profile is called as its file, in lower-case letters"):
        fit([source], tmp_path / "My Board.yaml")
    with pytest.raises(UserError, match="there is no folder"):
        fit([source], tmp_path / "new" / "mine.yaml")
    with pytest.raises(UserError, match="is the profile that the new one extends"):
        fit([source], HW_PROFILES / f"{BASE}.yaml", force=True)
    assert not out.exists()


def test_an_existing_file_is_replaced_only_when_told(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Without --force it stays as it is."""
    source = write_rows(tmp_path / "measured.jsonl", rows[:1])
    out = tmp_path / "mine.yaml"
    out.write_text("kept", encoding="utf-8")
    with pytest.raises(UserError, match=r"mine\.yaml: exists; give --force to replace it"):
        fit([source], out)
    assert out.read_text(encoding="utf-8") == "kept"
    assert fit([source], out, force=True).clock_mhz == pytest.approx(240.0, rel=1e-5)
