"""The HTTP surface: each module is one part of it, and does nothing but HTTP."""
