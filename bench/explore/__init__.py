"""Design-space exploration over results: fronts, smallest clusters, break-even latencies, sensitivities."""
