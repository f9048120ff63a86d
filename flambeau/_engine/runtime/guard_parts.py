"""What native guards ask of tensors, modules and gradients, as functions in LLVM IR."""

from __future__ import annotations

import llvmlite.ir as ir

from .layout import Item
from .tables import FUNCTIONS, PLACES, Array, Spec
from .writer import I32, I64, POINTER, Writer, function

NULL = ir.Constant(POINTER, None)
_WRITEABLE = 0x400


class Builder(Writer):
    """Calls Python's C interface; `home` is the table with its addresses."""

    home: ir.Value

    def api(self, name: str, *arguments: ir.Value) -> ir.Value:
        """A call of the C interface."""
        result, kinds = FUNCTIONS[name]
        code = self.code(self.home, PLACES[name], ir.FunctionType(result, kinds))
        return self.call(code, arguments)

    def object(self, name: str) -> ir.Value:
        """An object that is known by name."""
        return self.address(self.home, PLACES[name])

    def same(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Whether two objects are one."""
        return self.icmp_unsigned("==", self.ptrtoint(a, I64), self.ptrtoint(b, I64))

    def is_null(self, a: ir.Value) -> ir.Value:
        """Whether there is no object."""
        return self.icmp_unsigned("==", self.ptrtoint(a, I64), I64(0))

    def type_of(self, a: ir.Value) -> ir.Value:
        """An object's type."""
        return self.address(a, Item.TYPE)

    def peek(self, x: ir.Value, name: str, out: ir.Block) -> ir.Value:
        """An attribute that its owner goes on holding; leaves if there is none."""
        found = self.call(_peek_in(self.module), [self.home, x, self.object(name)])
        self.go_unless(self.not_(self.is_null(found)), out)
        return found

    def slot(self, x: ir.Value, name: str) -> ir.Value:
        """An attribute that has a place of its own in the object, as "class.attribute"."""
        return self.address(x, self.word(self.home, PLACES[name]))

    def item(self, listed: ir.Value, place: ir.Value) -> ir.Value:
        """An item of a list."""
        return self.address(self.address(listed, Item.ITEMS), place)


def begin(
    module: ir.Module, name: str, result: ir.Type, count: int, private: bool = True
) -> tuple[Builder, list[ir.Value]]:
    """A function whose first argument is the table `home`."""
    b, arguments = function(module, name, result, [POINTER] * (1 + count), private)
    made = Builder(b.block)
    made.home = arguments[0]
    return made, list(arguments[1:])


def _peek_in(module: ir.Module) -> ir.Function:
    return module.globals["peek"]


def peek(module: ir.Module) -> None:
    """peek(home, x, name): an attribute, borrowed; null where there is none."""
    b, (x, name) = begin(module, "peek", POINTER, 2)
    found = b.api("PyObject_GetAttr", x, name)
    with b.if_then(b.is_null(found), likely=False):
        b.api("PyErr_Clear")
        b.ret(NULL)
    b.api("Py_DecRef", found)
    b.ret(found)


def fits_spec(module: ir.Module) -> ir.Function:
    """fits_spec(home, spec, x): 1 where a tensor fits."""
    b, (spec, x) = begin(module, "fits_spec", I32, 2)
    known, anew, no = b.blocks("known", "anew", "no")
    owner = b.address(spec, Spec.SPEC)
    before = b.api("PyObject_CallNoArgs", b.slot(owner, "InputSpec.last"))
    b.go_unless(b.not_(b.is_null(before)), no)
    b.api("Py_DecRef", before)
    now = b.api("PyDict_GetItem", b.object("state"), b.object("epoch"))
    current = b.same(b.slot(owner, "InputSpec.epoch"), now)
    b.cbranch(b.and_(b.same(before, x), current), known, anew)

    b.position_at_end(known)
    b.ret(I32(1))

    b.position_at_end(anew)
    b.go_unless(b.icmp_unsigned("==", b.word(spec, Spec.REMEMBER), I64(0)), no)
    b.go_unless(b.same(b.type_of(x), b.address(spec, Spec.CLASS)), no)
    array = b.peek(x, "_array", no)
    b.go_unless(b.same(b.type_of(array), b.object("array")), no)
    dimensions = b.and_(b.word(array, Array.DIMENSIONS), I64(0xFFFFFFFF))
    count = b.word(spec, Spec.DIMENSIONS)
    b.go_unless(b.icmp_unsigned("==", dimensions, count), no)
    b.go_unless(b.same(b.address(array, Array.DTYPE), b.address(spec, Spec.DTYPE)), no)
    writeable = b.and_(b.word(array, Array.FLAGS), I64(_WRITEABLE))
    b.go_unless(b.icmp_unsigned("!=", writeable, I64(0)), no)
    shape, steps = b.address(array, Array.SHAPE), b.address(array, Array.STRIDES)
    with b.count(count) as i:
        at = b.add(i, I64(Spec.SIZES))
        right = b.icmp_unsigned("==", b.word(shape, i), b.word(spec, at))
        step = b.icmp_unsigned("==", b.word(steps, i), b.word(spec, b.add(at, count)))
        b.go_unless(b.and_(right, step), no)
    for name, word in (("_requires_grad", Spec.REQUIRES_GRAD), ("_inference", Spec.INFERENCE)):
        b.go_unless(b.same(b.peek(x, name, no), b.address(spec, word)), no)
    storage = b.peek(x, "_storage", no)
    plain = b.same(b.peek(x, "_plain", no), b.object("true"))
    (shared,) = b.blocks("shared")
    b.cbranch(b.and_(plain, b.same(storage, b.object("none"))), known, shared)

    b.position_at_end(shared)
    _look_at_aliases(b, spec, x, storage, no)
    b.ret(I32(1))

    b.position_at_end(no)
    b.ret(I32(0))
    return b.function


def _look_at_aliases(
    b: Builder, spec: ir.Value, x: ir.Value, storage: ir.Value, no: ir.Block
) -> None:
    """Leave unless memory that others know is only seen from inside, without a history.

    What `pattern.unfit` says of a tensor that is no leaf with a gradient.
    """
    for name, wanted in (("_device", "cpu"), ("_grad_fn", "none")):
        b.go_unless(b.same(b.peek(x, name, no), b.object(wanted)), no)
    held, seen, derived, root, done = b.blocks("held", "seen", "derived", "root", "done")
    b.cbranch(b.same(storage, b.object("none")), seen, held)

    b.position_at_end(held)
    of = b.peek(storage, "of", no)
    core = b.select(b.same(of, b.object("none")), storage, of)
    b.go_unless(b.same(b.peek(core, "exposed", no), b.object("false")), no)
    windows = b.peek(core, "windows", no)
    b.go_unless(b.icmp_unsigned("==", b.word(windows, Item.SIZE), I64(0)), no)
    b.branch(seen)

    b.position_at_end(seen)
    view = b.peek(x, "_view", no)
    b.cbranch(b.same(view, b.object("none")), done, derived)

    b.position_at_end(derived)
    parent = b.slot(view, "ViewInfo.made_from")
    _look_at_base(b, spec, parent, no)
    above = b.peek(parent, "_root", no)
    b.cbranch(b.same(above, b.object("none")), done, root)

    b.position_at_end(root)
    _look_at_base(b, spec, above, no)
    b.branch(done)
    b.position_at_end(done)


def _look_at_base(b: Builder, spec: ir.Value, base: ir.Value, no: ir.Block) -> None:
    # a pending one is of another class: to ask it would be to compute it
    b.go_unless(b.same(b.type_of(base), b.address(spec, Spec.CLASS)), no)
    b.go_unless(b.same(b.peek(base, "_requires_grad", no), b.object("false")), no)


def holds(module: ir.Module) -> None:
    """holds(home, table, keys, values): 1 where a table has these entries in order, any plan."""
    b, (table, keys, values) = begin(module, "holds", I32, 3)
    (no,) = b.blocks("no")
    place, key, value = b.alloca(I64), b.alloca(POINTER), b.alloca(POINTER)
    b.store(I64(0), place)
    size = b.word(keys, Item.SIZE)
    b.go_unless(b.icmp_unsigned("==", b.api("PyDict_Size", table), size), no)
    with b.count(size) as i:
        at = b.add(i, I64(Item.ITEMS))
        b.api("PyDict_Next", table, place, key, value)
        found = b.load(key, typ=POINTER)
        b.go_unless(b.same(found, b.address(keys, at)), no)
        right = b.same(b.load(value, typ=POINTER), b.address(values, at))
        b.go_unless(b.or_(right, b.same(found, b.object("_plan"))), no)
    b.ret(I32(1))
    b.position_at_end(no)
    b.ret(I32(0))


def fits_module(module: ir.Module) -> ir.Function:
    """fits_module(home, guard, called): the plan of a module that is as it was, or null."""
    b, (guard, called) = begin(module, "fits_module", POINTER, 2)
    (no,) = b.blocks("no")
    plan = b.peek(called, "_plan", no)
    before = b.api("PyObject_CallNoArgs", b.slot(guard, "ModuleGuard._last"))
    b.go_unless(b.not_(b.is_null(before)), no)
    b.api("Py_DecRef", before)
    b.go_unless(b.same(before, plan), no)
    now = b.api("PyDict_GetItem", b.object("state"), b.object("epoch"))
    b.go_unless(b.same(b.slot(guard, "ModuleGuard._epoch"), now), no)
    for name in ("members", "attributes"):
        tables = b.slot(plan, f"ModulePlan.{name}")
        with b.count(b.word(tables, Item.SIZE)) as i:
            one = b.address(tables, b.add(i, I64(Item.ITEMS)))
            entries = [b.address(one, Item.ITEMS + k) for k in range(3)]
            held = b.call(module.globals["holds"], [b.home, *entries])
            b.go_unless(b.icmp_unsigned("!=", held, I32(0)), no)
    classes = b.slot(plan, "ModulePlan.classes")
    with b.count(b.word(classes, Item.SIZE)) as i:
        pair = b.address(classes, b.add(i, I64(Item.ITEMS)))
        forward = b.peek(b.address(pair, Item.ITEMS), "forward", no)
        b.go_unless(b.same(forward, b.address(pair, Item.ITEMS + 1)), no)
    hooks = b.slot(plan, "ModulePlan.hooks")
    with b.count(b.word(hooks, Item.SIZE)) as i:
        table = b.address(hooks, b.add(i, I64(Item.ITEMS)))
        b.go_unless(b.icmp_unsigned("==", b.api("PyDict_Size", table), I64(0)), no)
    b.ret(plan)
    b.position_at_end(no)
    b.ret(NULL)
    return b.function


def gradient_of(module: ir.Module) -> ir.Function:
    """gradient_of(home, leaf, new): a leaf's gradient, borrowed; null makes no new one of it."""
    b, (leaf, new) = begin(module, "gradient_of", POINTER, 2)
    frame = b.api("PyObject_GenericGetDict", leaf, NULL)
    name = b.object("_grad")
    with b.if_then(b.not_(b.is_null(new))):
        b.api("PyDict_SetItem", frame, name, new)
    found = b.api("PyDict_GetItem", frame, name)
    b.api("Py_DecRef", frame)
    b.ret(b.select(b.is_null(found), b.object("none"), found))
    return b.function
