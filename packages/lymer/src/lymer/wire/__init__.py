"""Bytes to words and back, pure."""
