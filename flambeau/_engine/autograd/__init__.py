"""Tensors with memory of where they came from: the tape, its gradient rules and its engine."""
