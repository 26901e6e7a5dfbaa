"""Each peer's way of doing each workload: `case(work, setting)` in one module a peer."""
