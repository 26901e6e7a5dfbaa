"""Graph to Graph, Graph to Kernels: each pass a function that returns its result, no more."""
