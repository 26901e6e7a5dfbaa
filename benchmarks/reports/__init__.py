"""What `python -m benchmarks --report` can measure: one module for each report."""
