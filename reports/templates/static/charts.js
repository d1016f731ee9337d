// Charts in the page's colours. The palette is Okabe and Ito's, which colour-blind readers can tell apart.
"use strict";

const Charts = {
  COLOURS: ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999", "#8A7400"],

  palette: (count) => Array.from({ length: count }, (_, at) => Charts.lit(Charts.COLOURS[at % Charts.COLOURS.length])),

  // The palette's blue is too dim upon a dark ground.
  lit: (color) => (color === "#0072B2" && Charts.dark() ? "#3D9AD6" : color),

  variable: (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(),

  dark: () => getComputedStyle(document.documentElement).colorScheme === "dark",

  // Light to dark, or dark to light: more is further from the ground.
  ramp: () => (Charts.dark() ? ["#1b2a3a", "#2f74ad"] : ["#f1f6fb", "#6aaeda"]),

  // A partitioner has one colour everywhere; what differs from its default by parameters is paler.
  strategyColors: (names, colors) =>
    names.map((name) => {
      const base = name.split(" ")[0];
      const color = base === "full" ? Charts.variable("full") : Charts.lit(colors[base] || "#9585AD");
      return name === base ? color : `color-mix(in srgb, ${color} 55%, ${Charts.variable("ground")})`;
    }),

  config() {
    const [text, faint, line] = ["text", "faint", "line"].map(Charts.variable);
    return {
      background: "transparent",
      font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
      axis: { labelColor: faint, titleColor: text, gridColor: line, domainColor: line, tickColor: line, titleFontWeight: "normal", labelFontSize: 11, titleFontSize: 12 },
      axisX: { grid: false },
      legend: { labelColor: text, titleColor: text, labelLimit: 260, orient: "bottom", columns: 4, symbolLimit: 60, titleFontWeight: "normal" },
      header: { labelColor: text, titleColor: text, labelFontSize: 12 },
      title: { color: text },
      text: { color: text },
      view: { stroke: null },
      line: { strokeWidth: 2 },
    };
  },

  draw(place, spec) {
    return vegaEmbed(place, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...spec, config: Charts.config() }, { actions: false, renderer: "svg", mode: "vega-lite" }).catch((error) => {
      place.textContent = "The chart could not be drawn: " + error.message;
      throw error;
    });
  },
};
