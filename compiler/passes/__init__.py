"""Graph to Graph, Graph to Kernels: each pass a function that returns its result and does no more."""
