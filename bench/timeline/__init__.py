"""The timeline of a run: what every unit and link does in which cycle, and what the end waits for."""
