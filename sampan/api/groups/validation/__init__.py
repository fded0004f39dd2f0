"""Rules that several kinds share, by subject: metadata, selectors, probes, …"""
