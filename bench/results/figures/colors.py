"""Colours of all figures and of the site, which colour-blind readers can tell apart."""

from __future__ import annotations

# Okabe and Ito's palette
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, GREY, BLACK = "#0072B2", "#D55E00", "#CC79A7", "#999999", "#222222"

STRATEGY_COLORS = {
    "single": GREY,
    "layer-wise": ORANGE,
    "input-wise": SKY,
    "gate-wise": GREEN,
    "column-wise": PURPLE,
    "row-wise": BLUE,
    "full-dac20": VERMILION,
    "full": BLACK,
}

STEPS = ("#C6DBEF", "#6BAED6", "#2171B5", "#08306B")
"""Light to dark, for one quantity that grows (FPGAs, or faster links)."""
