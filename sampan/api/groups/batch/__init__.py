"""Jobs, at once and by the clock."""
