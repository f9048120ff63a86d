"""A folder for `sys.path` whose `torch` is flambeau: see `flambeau._install`."""
