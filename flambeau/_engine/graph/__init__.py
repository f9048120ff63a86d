"""The IR of a recorded segment: values, nodes, printer, legality check, interpreter."""
