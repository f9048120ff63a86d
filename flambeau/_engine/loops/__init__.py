"""Loop-level IR: kernels as data, the memory plan, and the order of a program's steps."""
