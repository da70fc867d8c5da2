"""The skeleton laid on a scan's views: what is rendered, what is compared, where to begin, and the fit."""

__all__: list[str] = []
