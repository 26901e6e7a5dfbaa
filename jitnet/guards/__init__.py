"""What a compiled variant depends on: arguments, and Python's state, found while it is traced."""
