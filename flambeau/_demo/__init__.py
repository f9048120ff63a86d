"""`python -m flambeau._demo`: an MLP learns to read handwritten digits."""
