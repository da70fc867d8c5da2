"""What is measured over a whole scan: its quality and what disturbs it, and the burden of its findings."""

__all__: list[str] = []
