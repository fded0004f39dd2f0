"""Scaling by metrics."""
