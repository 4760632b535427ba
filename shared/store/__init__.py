"""The job store: Redis decides, by scripts; everybody else asks."""
