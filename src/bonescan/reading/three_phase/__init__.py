"""A three-phase study: its two sides on one grid, where they differ, curves, and what the pattern may mean."""

__all__: list[str] = []
