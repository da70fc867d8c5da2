"""The command line: one command, one function call, files out."""

from bonescan.cli.program import app, main

__all__ = ["app", "main"]
