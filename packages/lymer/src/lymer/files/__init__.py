"""Spans in files: what is in them, whatever their format, and how they are written."""
