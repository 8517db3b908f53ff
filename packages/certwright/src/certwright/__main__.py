"""`python -m certwright`."""

from __future__ import annotations

from certwright.cli import main

main()
