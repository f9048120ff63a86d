"""PyTorch's own test databases, run against flambeau beside the real torch (`run.py`)."""
