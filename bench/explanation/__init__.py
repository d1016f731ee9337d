"""Why `full` chooses what it chooses: figures of plans, and sentences that follow from them."""
