"""Graph to graph, then graph to kernels: one pass a file; the pipeline is one visible list."""
