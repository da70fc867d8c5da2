"""From this person's normal uptake to findings: what stands out, what joins across views, what each is taken for."""

__all__: list[str] = []
