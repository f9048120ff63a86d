"""The ground floor: dtypes, promotion, devices, shapes, errors, configuration. Imports nothing."""
