"""Durable before acknowledged."""
