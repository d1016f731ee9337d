"""What other machines do with the same networks: measured on a CPU or GPU at hand, and stored."""
