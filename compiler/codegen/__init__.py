"""Kernels as text: LLVM IR for the CPU; nothing here runs anything."""
