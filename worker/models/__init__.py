"""Resident models: diffusers modules, and the threads that drive them."""
