"""Repairs on the way out: an ordered list of pure functions."""
