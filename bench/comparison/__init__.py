"""Two runs side by side: which rows changed, by how much, and what is only in one of them."""
