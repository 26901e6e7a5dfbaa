"""Runs a Program: dtypes, memory, threads, native code; knows no Graph and no Tensor."""
