"""Sweeps: many points from a few axes, evaluated in groups, kept by content, queried by SQL."""
