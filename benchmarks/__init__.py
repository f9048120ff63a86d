"""Timings of flambeau, beside torch and NumPy where they are installed."""
