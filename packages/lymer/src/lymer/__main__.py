"""Run `python -m lymer`."""

from __future__ import annotations

from lymer.cli import main

if __name__ == "__main__":
    main()
