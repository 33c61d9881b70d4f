"""Why there is no figure."""


class BenchError(Exception):
    """A measurement that cannot be made, or whose result would mean nothing."""
