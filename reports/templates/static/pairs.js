// The paper's figures: what was published to the left, what was emulated to the right, on the same axes.
"use strict";

const PANEL = { width: 400, height: 210 };

document.addEventListener("DOMContentLoaded", drawPairs);
window.addEventListener("themechange", drawPairs);

async function drawPairs() {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const rows = window.PAIRS[place.dataset.chart];
    if (rows) await Charts.draw(place, pairSpec(rows));
  }
}

function pairSpec(rows) {
  const metrics = [...new Set(rows.map((row) => row.metric))];
  const series = [...new Set(rows.map((row) => row.series))];
  return {
    data: { values: rows },
    vconcat: metrics.map((metric) => {
      const mine = rows.filter((row) => row.metric === metric);
      const most = Math.max(...mine.flatMap((row) => [row.published, row.emulated ?? 0]));
      return {
        transform: [{ filter: { field: "metric", equal: metric } }],
        hconcat: ["published", "emulated"].map((side) => panel(side, metric, mine, series, most)),
      };
    }),
  };
}

function panel(side, metric, rows, series, most) {
  return {
    ...PANEL,
    title: side,
    mark: { type: "bar" },
    encoding: {
      x: { field: "at", type: "nominal", sort: [...new Set(rows.map((row) => row.at))], title: "workload, FPGAs", axis: { labelAngle: -55, labelLimit: 150 } },
      xOffset: { field: "series", type: "nominal", sort: series },
      y: { field: side, type: "quantitative", title: metric, scale: { domain: [0, 1.04 * most] } },
      color: { field: "series", type: "nominal", title: null, scale: { domain: series, range: Charts.palette(series.length) }, legend: { columns: 2 } },
      tooltip: [
        { field: "at", title: "workload, FPGAs" },
        { field: "series" },
        { field: "published", format: ".4~g" },
        { field: "emulated", format: ".4~g" },
      ],
    },
  };
}
