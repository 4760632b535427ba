"""Benchmarks that need CUDA; each runs alone, without queue, store or network."""
