"""Turns a Graph of tensor ops into native code; knows no Tensor. Read pipeline.py first."""
