"""Apple's GPUs: flambeau has no backend for them."""


def is_available() -> bool:
    """False."""
    return False


def is_built() -> bool:
    """False."""
    return False
