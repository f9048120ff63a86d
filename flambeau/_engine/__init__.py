"""The engine: dtypes, primitives, eager rules, autograd. Private; the face sits above it."""
