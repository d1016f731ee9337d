"""Results: one typed row per point, where rows are stored, and the tables made of them."""
