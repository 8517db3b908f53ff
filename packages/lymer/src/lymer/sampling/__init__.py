"""Sampling at the head: which share of traces a service should begin to record, and who says so."""
