"""Which link latency makes more FPGAs worth it: where N of them stop being faster than fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import duckdb
import pyarrow as pa

from bench.errors import UserError
from bench.explore.choose import PLAINEST, Choice, chosen
from bench.sweeps.query import run_query

WHERE = ("workload", "profile", "topology", "link")
"""Columns that stay the same while the link latency varies."""

ALWAYS, NEVER = "always within the sweep", "never within the sweep"
BY = "partitioner || CASE parameters WHEN '{}' THEN '' ELSE ' ' || parameters END"
SEPARATOR = " | "

UP_TO, FROM = "up to a break-even", "from a break-even on"

_FIELDS: list[pa.Field[Any]] = [
    *(pa.field(name, pa.string()) for name in WHERE),
    pa.field("fpgas", pa.int64()),
    pa.field("over", pa.int64()),
    pa.field("faster", pa.string()),  # one of the four above
    pa.field("break_even_ns", pa.float64()),  # interpolated; null where there is none, or a kink
    pa.field("below_ns", pa.float64()),  # swept latencies on both sides of it
    pa.field("above_ns", pa.float64()),
    pa.field("crossings", pa.int64()),
    pa.field("latencies", pa.int64()),  # swept ones at which both have a result
    pa.field("least_ns", pa.float64()),
    pa.field("most_ns", pa.float64()),
    pa.field("least_speedup", pa.float64()),
    pa.field("most_speedup", pa.float64()),
    pa.field("by", pa.string()),  # partitioners that are fastest at any of them, with their parameters
    pa.field("over_by", pa.string()),  # the same, on fewer FPGAs
]

SCHEMA = pa.schema(_FIELDS)


@dataclass(frozen=True)
class Sample:
    """Both latencies at one link latency."""

    link_latency_ns: float
    many_s: float
    few_s: float

    @property
    def gain_s(self) -> float:
        """What the additional FPGAs save; not above 0 where they are not worth it."""
        return self.few_s - self.many_s


@dataclass(frozen=True)
class Verdict:
    """Where more FPGAs are faster, and the swept latencies between which that changes first."""

    faster: str
    break_even_ns: float | None = None
    below_ns: float | None = None
    above_ns: float | None = None
    crossings: int = 0


def judge(samples: Sequence[Sample]) -> Verdict:
    """What ``samples``, in the order of their link latencies, say.

    A break-even is told only between two samples of which the one is faster on more FPGAs and the other
    is not. Programs wait for messages, so between link latencies near each other a latency is nearly a
    straight line, and the break-even is where the line of the gain passes 0. Where the gain is 0 on one
    side, the plan leaves the additional FPGAs idle: the line has a kink, and only the bracket is known.
    The first place where more FPGAs stop being faster counts; if there is none, the first where they
    start to be. The rest is in ``crossings``.
    """
    changes = [(a, b) for a, b in pairwise(samples) if (a.gain_s > 0) != (b.gain_s > 0)]
    if not changes:
        return Verdict(ALWAYS if samples[0].gain_s > 0 else NEVER)
    a, b = next(((a, b) for a, b in changes if a.gain_s > 0), changes[0])
    at = None
    if a.gain_s and b.gain_s:
        share = a.gain_s / (a.gain_s - b.gain_s)
        at = a.link_latency_ns + (b.link_latency_ns - a.link_latency_ns) * share
    return Verdict(UP_TO if a.gain_s > 0 else FROM, at, a.link_latency_ns, b.link_latency_ns, len(changes))


def break_even(connection: duckdb.DuckDBPyConnection, choice: Choice, fpgas: int, over: int) -> pa.Table:
    """For each workload, profile, topology and link: up to which link latency ``fpgas`` beat ``over`` FPGAs.

    The fastest chosen partitioner on the one side is compared with the fastest on the other. Columns:
    `SCHEMA`. Raises UserError if one of both has no result, or none at a common link latency.
    """
    if fpgas <= over:
        raise UserError(f"break-even: got {fpgas} FPGAs over {over}; expected more FPGAs over fewer")
    where = ", ".join(WHERE)
    best = (
        f"SELECT {where}, link_latency_ns, fpgas, min(latency_s) AS latency_s, "
        f"arg_min({BY}, (latency_s, {PLAINEST})) AS fastest "
        f"FROM ({chosen(connection, choice)}) WHERE fpgas IN ({fpgas}, {over}) GROUP BY ALL"
    )
    rows = run_query(
        connection,
        f"WITH best AS ({best}) SELECT {where}, link_latency_ns, many.latency_s AS many_s, "
        "few.latency_s AS few_s, many.fastest AS many_by, few.fastest AS few_by "
        f"FROM (FROM best WHERE fpgas = {fpgas}) many JOIN (FROM best WHERE fpgas = {over}) few "
        f"USING ({where}, link_latency_ns) ORDER BY {where}, link_latency_ns",
    ).to_pylist()
    if not rows:
        raise UserError(
            f"break-even: no cluster has results on both {fpgas} and {over} FPGAs at the same link latency"
        )
    found = [
        _row(list(members), fpgas, over)
        for _, members in groupby(rows, key=lambda row: tuple(row[name] for name in WHERE))
    ]
    return pa.Table.from_pylist(found, schema=SCHEMA)


def _row(rows: list[dict[str, Any]], fpgas: int, over: int) -> dict[str, Any]:
    samples = [Sample(row["link_latency_ns"], row["many_s"], row["few_s"]) for row in rows]
    verdict = judge(samples)
    speedups = [sample.few_s / sample.many_s for sample in samples]
    return {
        **{name: rows[0][name] for name in WHERE},
        "fpgas": fpgas,
        "over": over,
        **{name: getattr(verdict, name) for name in Verdict.__dataclass_fields__},
        "latencies": len(samples),
        "least_ns": samples[0].link_latency_ns,
        "most_ns": samples[-1].link_latency_ns,
        "least_speedup": min(speedups),
        "most_speedup": max(speedups),
        "by": SEPARATOR.join(sorted({row["many_by"] for row in rows})),
        "over_by": SEPARATOR.join(sorted({row["few_by"] for row in rows})),
    }
