"""Snapshot → plan: what to do next about one object. Pure."""
