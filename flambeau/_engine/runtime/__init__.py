"""Compiled programs at run time: native code, buffers, threads, and the cache on disk."""
