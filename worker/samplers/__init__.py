"""Numerical methods, read off diffusers as tables of small matrices."""
