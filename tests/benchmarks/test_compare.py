"""Comparing two revisions' times: what is taken out of git, and what the table says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import compare


def test_a_revision_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, in one line, before anything is timed."""
    assert compare.main(["no-such-revision", "HEAD"]) == 1
    assert capsys.readouterr().err == "error: no-such-revision: no git revision of the repository here\n"


def test_one_revision_is_refused() -> None:
    """There is nothing to compare it with."""
    with pytest.raises(SystemExit):
        compare.main(["HEAD"])


def test_two_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Medians of the turns, and the least and the most change of a pair of turns."""
    times = {"a": iter([2.0, 2.0, 4.0]), "b": iter([1.0, 3.0, 2.0])}
    monkeypatch.setattr(compare, "take_out", lambda revision, folder: folder)
    monkeypatch.setattr(compare, "measure", lambda folder, only: {"search": next(times[folder.name])})
    line = compare.compared("old", "new", 3, "").splitlines()[1]
    assert line.split() == ["search", "2", "2", "0.50", "0.50", "1.50"]


def test_reference_names_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each committed ratio belongs to a benchmark that there is, and is above nothing."""
    source = (Path(compare.HERE) / compare.BENCHMARKS).read_text(encoding="utf-8")
    known = compare.read_reference()
    assert len(known) == 10
    assert all(f"def test_{name.partition('[')[0]}(" in source and ratio > 0 for name, ratio in known.items())
    monkeypatch.setattr(compare, "measure", lambda folder, only: dict(known))
    assert compare.against_reference(1, "", write=False).count("1.00") == len(known)
