"""The tracer: how much is given, where it goes, how long it stays, and what dose it leaves."""

__all__ = []
