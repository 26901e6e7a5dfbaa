"""The data that the compiler works on: types, ops, graphs, loops; printers, verifiers, no more."""
