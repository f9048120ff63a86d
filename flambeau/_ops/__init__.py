"""Public operations, one file a family. Each is declared once and composed of primitives."""
