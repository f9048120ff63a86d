"""The code of native guards: `on_op`, as LLVM IR; see `guards`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import llvmlite.ir as ir

from .guard_parts import NULL, Builder, begin, fits_module, fits_spec, gradient_of, holds, peek
from .layout import Item
from .tables import BYTES, SIZE, Code, Table
from .writer import I32, I64, POINTER


def build(module: ir.Module) -> None:
    """Write `on_op` into a module."""
    peek(module)
    holds(module)
    helpers = fits_spec(module), fits_module(module), gradient_of(module)
    _on_op(module, _Play(module, *helpers).write())


class _Play:
    """play(home, table, args, kwargs, run): the event's result, or null and nothing has happened.

    The instructions are done one by one: what to compare comes first, then what to promise.
    """

    LISTS = ("inputs", "slots", "numbers")

    def __init__(self, module: ir.Module, *helpers: ir.Function):
        self.fits_spec, self.fits_module, self.gradient_of = helpers
        self.b, (self.table, self.args, self.kwargs, self.run) = begin(module, "play", POINTER, 4)
        self.head, self.miss, self.early = self.b.blocks("head", "miss", "early")
        self.lists: dict[str, ir.Value] = {}
        self.x, self.listed, self.plan = (self.b.alloca(POINTER) for _ in range(3))
        self.at = self.b.alloca(I64)
        self.operands: list[ir.Value] = []

    def write(self) -> ir.Function:
        """The function."""
        b, table = self.b, self.table
        given = b.word(self.args, Item.SIZE)
        b.go_unless(b.icmp_unsigned("==", given, b.word(table, Table.ARGS)), self.early)
        named = b.api("PyDict_Size", self.kwargs)
        b.go_unless(b.icmp_unsigned("==", named, b.word(table, Table.KWARGS)), self.early)
        mode = b.object("mode")
        for name, word in (("grad", Table.GRAD), ("special", Table.SPECIAL)):
            b.go_unless(b.same(b.peek(mode, name, self.early), b.address(table, word)), self.early)
        # where memory has been copied, Python compares it
        copied = b.api("PyDict_Size", b.peek(self.run, "snapshots", self.early))
        b.go_unless(b.icmp_unsigned("==", copied, I64(0)), self.early)
        self.lists = {name: b.peek(self.run, name, self.early) for name in self.LISTS}
        sizes = {name: b.word(listed, Item.SIZE) for name, listed in self.lists.items()}
        b.store(I64(Table.FIRST), self.at)
        b.branch(self.head)
        self._instructions()

        b.position_at_end(self.miss)
        for name, listed in self.lists.items():
            now = b.word(listed, Item.SIZE)
            with b.if_then(b.icmp_unsigned("!=", now, sizes[name])):
                b.api("PyList_SetSlice", listed, sizes[name], now, NULL)
        b.branch(self.early)
        b.position_at_end(self.early)
        b.ret(NULL)
        return b.function

    def _instructions(self) -> None:
        b = self.b
        b.position_at_end(self.head)
        at = b.load(self.at, typ=I64)
        self.operands = [b.word(self.table, b.add(at, I64(k))) for k in range(1, SIZE)]
        code = b.word(self.table, at)
        b.store(b.add(at, I64(SIZE)), self.at)
        choice = b.switch(code, self.miss)
        for each in Code:
            (block,) = b.blocks(each.name.lower())
            choice.add_case(I64(each), block)
            b.position_at_end(block)
            getattr(self, f"_{each.name.lower()}")(*self.operands)
            if not b.block.is_terminated:
                b.branch(self.head)

    # --- operands -------------------------------------------------------------------------------

    def _need(self, condition: ir.Value) -> None:
        self.b.go_unless(condition, self.miss)

    def _take(self, x: ir.Value) -> None:
        self._need(self.b.not_(self.b.is_null(x)))
        self.b.store(x, self.x)

    def _now(self) -> ir.Value:
        return self.b.load(self.x, typ=POINTER)

    def _object(self, word: ir.Value) -> ir.Value:
        return self.b.inttoptr(word, POINTER)

    def _first(self) -> ir.Value:
        return self.b.address(self.args, Item.ITEMS)

    def _of(self, name: str, place: ir.Value) -> ir.Value:
        return self.b.item(self.lists[name], place)

    def _leaf(self, place: ir.Value, kind: ir.Value) -> ir.Value:
        is_slot = self.b.icmp_unsigned("==", kind, I64(0))
        listed = self.b.select(is_slot, self.lists["slots"], self.lists["inputs"])
        return self.b.item(listed, place)

    # --- comparing --------------------------------------------------------------------------------

    def _argument(self, a: ir.Value, *_: ir.Value) -> None:
        self._take(self.b.address(self.args, self.b.add(a, I64(Item.ITEMS))))

    def _keyword(self, a: ir.Value, *_: ir.Value) -> None:
        self._take(self.b.api("PyDict_GetItem", self.kwargs, self._object(a)))

    def _sequence(self, a: ir.Value, count: ir.Value, *_: ir.Value) -> None:
        b, x = self.b, self._now()
        self._need(b.same(b.type_of(x), self._object(a)))
        self._need(b.icmp_unsigned("==", b.word(x, Item.SIZE), count))
        b.store(x, self.listed)

    def _item(self, a: ir.Value, is_list: ir.Value, *_: ir.Value) -> None:
        b = self.b
        listed = b.load(self.listed, typ=POINTER)
        own = b.place(listed, I64(Item.ITEMS))
        items = b.select(b.icmp_unsigned("!=", is_list, I64(0)), b.address(listed, Item.ITEMS), own)
        self._take(b.address(items, a))

    def _slot(self, a: ir.Value, *_: ir.Value) -> None:
        self._need(self.b.same(self._of("slots", a), self._now()))

    def _input(self, a: ir.Value, *_: ir.Value) -> None:
        self._need(self.b.same(self._of("inputs", a), self._now()))

    def _bind(self, a: ir.Value, *_: ir.Value) -> None:
        b, x = self.b, self._now()
        fits = b.call(self.fits_spec, [b.home, self._object(a), x])
        self._need(b.icmp_unsigned("!=", fits, I32(0)))
        b.api("PyList_Append", self.lists["inputs"], x)

    def _same(self, a: ir.Value, by_value: ir.Value, *_: ir.Value) -> None:
        b, x, wanted = self.b, self._now(), self._object(a)
        (other,) = b.blocks("other")
        b.cbranch(b.same(x, wanted), self.head, other)
        b.position_at_end(other)
        self._need(b.icmp_unsigned("!=", by_value, I64(0)))
        self._need(b.same(b.type_of(x), b.type_of(wanted)))
        self._need(
            b.icmp_signed("==", b.api("PyObject_RichCompareBool", x, wanted, I32(2)), I32(1))
        )

    def _varies(self, *_: ir.Value) -> None:
        b, x = self.b, self._now()
        self._need(b.same(b.type_of(x), b.object("float")))
        b.api("PyList_Append", self.lists["numbers"], x)

    def _module(self, a: ir.Value, *_: ir.Value) -> None:
        b = self.b
        plan = b.call(self.fits_module, [b.home, self._object(a), self._first()])
        self._need(b.not_(b.is_null(plan)))
        b.store(plan, self.plan)
        tensors = b.slot(plan, "ModulePlan.tensors")
        with b.count(b.word(tensors, Item.SIZE)) as i:
            tensor = b.address(tensors, b.add(i, I64(Item.ITEMS)))
            b.api("PyList_Append", self.lists["inputs"], tensor)

    def _gradient(self, a: ir.Value, kind: ir.Value, *_: ir.Value) -> None:
        b = self.b
        self._take(b.call(self.gradient_of, [b.home, self._leaf(a, kind), NULL]))

    # --- promising --------------------------------------------------------------------------------

    def _make(self, a: ir.Value, *_: ir.Value) -> None:
        b = self.b
        made = b.api("PyObject_CallOneArg", b.object("new"), b.object("masked"))
        with b.if_then(b.is_null(made), likely=False):
            b.api("PyErr_Clear")
            b.branch(self.miss)
        frame = b.api("PyObject_GenericGetDict", made, NULL)
        b.api("PyDict_SetItem", frame, b.object("_run"), self.run)
        b.api("PyDict_SetItem", frame, b.object("_meta"), self._object(a))
        b.api("Py_DecRef", frame)
        b.api("PyList_Append", self.lists["slots"], made)
        b.api("Py_DecRef", made)

    def _commit(self, a: ir.Value, *_: ir.Value) -> None:
        self.b.api("PyObject_SetAttr", self.run, self.b.object("cursor"), self._object(a))

    def _called(self, *_: ir.Value) -> None:
        b = self.b
        plan = b.load(self.plan, typ=POINTER)
        pair, single = b.api("PyTuple_New", I64(2)), b.api("PyTuple_New", I64(1))
        for place, x in enumerate((self._first(), plan)):
            b.api("Py_IncRef", x)  # a tuple takes a reference over
            b.api("PyTuple_SetItem", pair, I64(place), x)
        b.api("PyTuple_SetItem", single, I64(0), pair)
        before = b.peek(self.run, "modules", self.miss)
        after = b.api("PySequence_Concat", before, single)
        b.api("PyObject_SetAttr", self.run, b.object("modules"), after)
        b.api("Py_DecRef", after)
        b.api("Py_DecRef", single)

    def _set_gradient(self, a: ir.Value, kind: ir.Value, slot: ir.Value) -> None:
        b = self.b
        b.call(self.gradient_of, [b.home, self._leaf(a, kind), self._of("slots", slot)])

    def _meta(self, a: ir.Value, meta: ir.Value, *_: ir.Value) -> None:
        b = self.b
        frame = b.api("PyObject_GenericGetDict", self._of("slots", a), NULL)
        b.api("PyDict_SetItem", frame, b.object("_meta"), self._object(meta))
        b.api("Py_DecRef", frame)

    def _clear(self, *_: ir.Value) -> None:
        b = self.b
        b.call(self.gradient_of, [b.home, self._first(), b.object("none")])

    def _return_slot(self, a: ir.Value, *_: ir.Value) -> None:
        self._give(self._of("slots", a))

    def _return_input(self, a: ir.Value, *_: ir.Value) -> None:
        self._give(self._of("inputs", a))

    def _return(self, a: ir.Value, *_: ir.Value) -> None:
        self._give(self._object(a))

    def _give(self, x: ir.Value) -> None:
        self.b.api("Py_IncRef", x)
        self.b.ret(x)


def _on_op(module: ir.Module, play: ir.Function) -> None:
    """on_op(self, arguments, count): see the top of this file; a function for Python to call."""
    made = ir.Function(module, ir.FunctionType(POINTER, [POINTER, POINTER, I64]), "on_op")
    made.attributes.add("nounwind")
    b = Builder(made.append_basic_block("entry"))
    held, given, count = made.args
    b.home = b.gep(held, [I64(BYTES)], source_etype=ir.IntType(8))
    replay, start, slow = b.blocks("replay", "start", "slow")
    descriptor, args, kwargs = (b.address(given, k) for k in range(3))
    tracer = b.peek(b.object("local"), "tracer", slow)
    b.go_unless(b.not_(b.same(tracer, b.object("none"))), slow)
    for name, wanted in (("busy", "false"), ("off", "zero"), ("visitors", "zero")):
        b.go_unless(b.same(b.slot(tracer, f"Tracer.{name}"), b.object(wanted)), slow)
    run = b.slot(tracer, "Tracer.run")
    b.cbranch(b.same(run, b.object("none")), start, replay)

    b.position_at_end(replay)
    _try(b, play, (descriptor, args, kwargs), b.peek(run, "cursor", slow), run, None)
    b.branch(slow)

    b.position_at_end(start)
    for name, wanted in (("recording", "none"), ("resting", "false")):
        b.go_unless(b.same(b.slot(tracer, f"Tracer.{name}"), b.object(wanted)), slow)
    root = b.slot(tracer, "Tracer.last")
    b.go_unless(b.not_(b.same(root, b.object("none"))), slow)
    (begin_run,) = b.blocks("begin_run")
    with _each_table(b, descriptor, root):
        b.branch(begin_run)
    b.branch(slow)

    b.position_at_end(begin_run)
    operands = b.alloca(POINTER, 2)
    b.store(tracer, b.place(operands, 0))
    b.store(root, b.place(operands, 1))
    b.api("Py_IncRef", root)
    fresh = b.api("PyObject_Vectorcall", b.object("run_class"), operands, I64(2), NULL)
    b.api("Py_DecRef", root)
    with b.if_then(b.is_null(fresh), likely=False):
        b.ret(NULL)
    # Python has run: is everything still as it was?
    unfit = b.blocks("unfit")[0]
    for name, wanted in (("run", b.object("none")), ("last", root), ("recording", b.object("none")),
                         ("visitors", b.object("zero"))):  # fmt: skip
        b.go_unless(b.same(b.slot(tracer, f"Tracer.{name}"), wanted), unfit)
    _try(b, play, (descriptor, args, kwargs), root, fresh, tracer)
    b.branch(unfit)
    b.position_at_end(unfit)
    b.api("Py_DecRef", fresh)
    b.branch(slow)

    b.position_at_end(slow)
    b.ret(b.api("PyObject_Vectorcall", b.object("slow"), given, count, NULL))


def _try(
    b: Builder, play: ir.Function, event: tuple[ir.Value, ...], parent: ir.Value, run: ir.Value,
    tracer: ir.Value | None,
) -> None:  # fmt: skip
    """Return what the child that stands for an event promises; go on where none does.

    With a tracer the run begins here, and becomes the tracer's.
    """
    descriptor, args, kwargs = event
    with _each_table(b, descriptor, parent) as table:
        collects = b.api("PyGC_Disable")
        result = b.call(play, [b.home, table, args, kwargs, run])
        with b.if_then(b.icmp_signed("!=", collects, I32(0))):
            b.api("PyGC_Enable")
        with b.if_then(b.not_(b.is_null(result))):
            if tracer is not None:
                b.api("PyObject_SetAttr", tracer, b.object("run"), run)
                b.api("Py_DecRef", run)
            b.ret(result)


@contextmanager
def _each_table(b: Builder, descriptor: ir.Value, parent: ir.Value) -> Iterator[ir.Value]:
    """For each child that stands for an event of this kind: its table."""
    children = b.slot(parent, "TraceNode.children")
    with b.count(b.word(children, Item.SIZE)) as i:
        child = b.item(children, i)
        alike = b.same(b.slot(child, "TraceNode.descriptor"), descriptor)
        with b.if_then(alike):
            quick = b.slot(child, "TraceNode.quick")
            with b.if_then(b.same(b.type_of(quick), b.object("bytes"))):
                yield b.gep(quick, [I64(BYTES)], source_etype=ir.IntType(8))
