"""What a whole scan amounts to: levels of uptake, signs, patterns by rule, and the impression in words."""

__all__: list[str] = []
