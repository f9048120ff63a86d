"""MKL: flambeau has no use for it."""


def is_available() -> bool:
    """False."""
    return False
