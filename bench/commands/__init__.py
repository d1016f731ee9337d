"""What the commands of `bench` do; `bench.cli` has their options."""
