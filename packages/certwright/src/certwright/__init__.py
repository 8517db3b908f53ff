"""Certwright: certificates that renew themselves, on a cluster and on files."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
