"""The GPU worker: claims jobs, denoises many at once, stores their pictures."""
