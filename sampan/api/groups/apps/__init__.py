"""The group apps, v1."""
