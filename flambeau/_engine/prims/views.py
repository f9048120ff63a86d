"""Views: results share the operand's memory. Parameters are normalised and non-negative."""

from __future__ import annotations

from .primitive import declare

# The eager rules of views are stride arithmetic only, so they serve as their own shape rules.
declare("alias", "a", view=True)
declare("view", "a", "shape", view=True)
declare("permute", "a", "dims", view=True)
declare("expand", "a", "shape", view=True)
# index: a tuple of ints, None (a new dimension) and (start, stop, step) triples
declare("slice", "a", "index", view=True)
# consecutive pieces along dim; `squeeze` drops that dimension (all sizes are 1 then)
declare("split", "a", "sizes dim squeeze", view=True, outputs=0)
declare("diagonal", "a", "offset dim1 dim2", view=True)
declare("unfold", "a", "dim size step", view=True)
# in elements; `offset` from a's first one. layout: a's own shape, strides and storage offset
declare("as_strided", "a", "shape strides offset layout", view=True)
declare("view_dtype", "a", "dtype", view=True)
declare("view_as_real", "a", view=True)
declare("view_as_complex", "a", view=True)
