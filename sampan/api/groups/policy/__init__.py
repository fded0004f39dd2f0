"""How much disruption applications bear."""
