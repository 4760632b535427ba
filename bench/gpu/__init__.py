"""Benchmarks of a GPU on models of true size with random weights: `python -m bench.gpu`."""
