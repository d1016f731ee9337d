"""Plans: who owns which block of which matrix; validation and lowering to programs."""
