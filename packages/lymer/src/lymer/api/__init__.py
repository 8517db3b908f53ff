"""The face: HTTP JSON."""
