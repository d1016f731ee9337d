"""The views that queries of a sweep's results may name, as SQL."""

from __future__ import annotations

from bench.energy import COLUMNS_SQL
from bench.partitioners import CONVENTIONAL

SETUP = ("workload", "profile", "topology", "link", "link_latency_ns", "fpgas")
"""What a point runs on. The profile's reference has all of its numbers, the workload's all of its sizes."""

DESCRIPTIONS = {
    "points": "every point of the sweep, a row each; failures too",
    "solved": "the points that have a latency",
    "energy": "solved points with energy_j_low and energy_j_high, null where no source says what a device "
    "draws; power_of (board or chip), and power_measured: on this board, running the overlay",
    "single": "workload, profile: the least latency on one FPGA, of the partitioner `single`",
    "conventional": "cluster: the fastest of layer-wise, input-wise and gate-wise, and its name",
    "speedups": "solved points with single_latency_s, conventional_latency_s, conventional, "
    "over_single and over_conventional (speed-ups)",
    "speedup_table": "topology, fpgas, partitioner, parameters: points; of both geometric mean, least, most",
    "best": "cluster: the fastest partitioner and its speed-ups",
    "failures": "partitioner, status, termination, reason: how many points",
}
"""View -> what it holds."""


def definitions(files: str) -> dict[str, str]:
    """View -> its query; ``files``: a glob over Parquet files, or their list as SQL."""
    names = ", ".join(f"'{name}'" for name in CONVENTIONAL)
    setup = ", ".join(SETUP)
    rank = "latency_s, partitioner <> 'single', partitioner, parameters"
    return {
        "points": f"SELECT * FROM read_parquet({files})",
        "solved": "SELECT * FROM points WHERE status = 'ok' AND termination = 'none'",
        "energy": (
            f"SELECT solved.*, {COLUMNS_SQL}, power_of, power_measured FROM solved"
            " LEFT JOIN power USING (profile)"
        ),
        "single": (
            "SELECT workload, profile, min(latency_s) AS single_latency_s FROM solved"
            " WHERE partitioner = 'single' AND fpgas = 1 AND parameters = '{}' GROUP BY ALL"
        ),
        "conventional": (
            f"SELECT {setup}, min(latency_s) AS conventional_latency_s,"
            " arg_min(partitioner, (latency_s, partitioner)) AS conventional FROM solved"
            f" WHERE partitioner IN ({names}) AND parameters = '{{}}' AND fpgas > 1 GROUP BY ALL"
        ),
        "speedups": (
            "SELECT *, single_latency_s / latency_s AS over_single,"
            " conventional_latency_s / latency_s AS over_conventional FROM solved"
            f" LEFT JOIN single USING (workload, profile) LEFT JOIN conventional USING ({setup})"
        ),
        "speedup_table": (
            "SELECT topology, fpgas, partitioner, parameters, count(*) AS points,"
            " geomean(over_single) AS geomean_over_single,"
            " min(over_single) AS least_over_single, max(over_single) AS most_over_single,"
            " geomean(over_conventional) AS geomean_over_conventional,"
            " min(over_conventional) AS least_over_conventional,"
            " max(over_conventional) AS most_over_conventional"
            " FROM speedups GROUP BY ALL ORDER BY topology, fpgas, partitioner, parameters"
        ),
        "best": (
            f"SELECT {setup}, arg_min(partitioner, ({rank})) AS partitioner,"
            f" arg_min(parameters, ({rank})) AS parameters,"
            " min(latency_s) AS latency_s, max(over_single) AS over_single,"
            f" max(over_conventional) AS over_conventional FROM speedups GROUP BY {setup}"
        ),
        "failures": (
            "SELECT partitioner, status, termination, reason, count(*) AS points FROM points"
            " WHERE NOT (status = 'ok' AND termination = 'none') GROUP BY ALL"
            " ORDER BY points DESC, partitioner, status, termination, reason"
        ),
    }
