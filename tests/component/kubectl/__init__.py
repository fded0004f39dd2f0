"""What users type, typed by real kubectls of several versions."""
