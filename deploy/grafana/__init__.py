"""Grafana's dashboards, one module each; `build.py` writes them as JSON."""
