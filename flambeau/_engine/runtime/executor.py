"""The native functions that are the same for every program.

`execute(frame)` runs a program's steps one after the other; a step that pays for it is divided
among the thread pool's workers (see `workers`). `run`, a function that Python calls with inputs,
outputs and numbers, first reads the arrays' addresses and the numbers from the Python objects
themselves, which takes Python over a microsecond; it is for programs that keep Python's lock. All
addresses come from the frame and the pool: the module has no external symbols, and its object code
can be kept on disk like a kernel's.
"""

from __future__ import annotations

import time

import llvmlite.ir as ir

from . import workers
from .layout import Frame, Item, Pool, Record, Status
from .workers import KERNEL
from .writer import F64, I32, I64, POINTER, VOID, Writer, function

_AS_DOUBLE = ir.FunctionType(F64, [POINTER])
_FROM_LONG = ir.FunctionType(POINTER, [I64])
_ERROR = ir.FunctionType(POINTER, [])
_CLOCK_GETTIME = ir.FunctionType(I32, [I32, POINTER])
_CLOCK = getattr(time, "CLOCK_MONOTONIC", 1)
NAMES = ("load", "execute", "execute_timed", "run", "run_timed", *workers.NAMES)


def build(module: ir.Module) -> None:
    """Write the functions of `NAMES` into a module."""
    divide = workers.build(module)
    load, bind = _load(module), _bind(module)
    run_step = _run_step(module, divide)
    for now in (None, _now(module)):
        _run(module, load, _execute(module, bind, run_step, now))


def _load(module: ir.Module) -> ir.Function:
    """load(frame, inputs, outputs, numbers): 1 if the frame now has what the sequences hold.

    0 where they are not lists or tuples of the right length, or hold something that is not
    exactly an array, or not exactly a float or an int; nothing has happened then.
    """
    b, (frame, *given) = function(module, "load", I32, [POINTER] * 4)
    pool = b.address(frame, Frame.POOL)
    refuse = b.function.append_basic_block("refuse")
    counts = (Frame.INPUT_COUNT, Frame.OUTPUT_COUNT, Frame.NUMBER_COUNT)
    place = I64(Frame.OBJECTS)
    for sequence, count in zip(given, counts):
        expected = b.word(frame, count)
        items = _items(b, pool, sequence, expected, refuse)
        with b.count(expected) as i:
            item = b.address(items, i)
            target = b.place(frame, b.add(place, i))
            if count is Frame.NUMBER_COUNT:
                b.store(_number(b, pool, item, refuse), target)
            else:
                b.go_unless(_is_a(b, pool, item, Pool.ARRAY), refuse)
                b.store(b.word(item, Item.VALUE), target)
        place = b.add(place, expected)
    b.ret(I32(1))
    b.position_at_end(refuse)
    b.ret(I32(0))
    return b.function


def _items(
    b: Writer, pool: ir.Value, sequence: ir.Value, expected: ir.Value, refuse: ir.Block
) -> ir.Value:
    """The address of a list's or tuple's items, if there are as many as expected."""
    is_list = _is_a(b, pool, sequence, Pool.LIST)
    b.go_unless(b.or_(is_list, _is_a(b, pool, sequence, Pool.TUPLE)), refuse)
    b.go_unless(b.icmp_unsigned("==", b.word(sequence, Item.SIZE), expected), refuse)
    inside = b.place(sequence, Item.ITEMS)
    items = b.alloca(POINTER)
    b.store(inside, items)
    with b.if_then(is_list):
        b.store(b.load(inside, typ=POINTER), items)
    return b.load(items, typ=POINTER)


def _number(b: Writer, pool: ir.Value, item: ir.Value, refuse: ir.Block) -> ir.Value:
    """A float's or int's value."""
    exact, other, out = b.blocks("exact", "other", "out")
    b.cbranch(_is_a(b, pool, item, Pool.FLOAT), exact, other)
    b.position_at_end(exact)
    value = b.load(b.place(item, Item.VALUE), typ=F64)
    b.branch(out)
    b.position_at_end(other)
    b.go_unless(_is_a(b, pool, item, Pool.INT), refuse)
    converted = b.call(b.code(pool, Pool.AS_DOUBLE, _AS_DOUBLE), [item])
    # -1 may say that it was too large: ctypes then raises the error that has been set
    b.go_unless(b.fcmp_ordered("!=", converted, F64(-1)), refuse)
    other_end = b.block
    b.branch(out)
    b.position_at_end(out)
    result = b.phi(F64)
    result.add_incoming(value, exact)
    result.add_incoming(converted, other_end)
    return result


def _is_a(b: Writer, pool: ir.Value, item: ir.Value, kind: Pool) -> ir.Value:
    return b.icmp_unsigned("==", b.word(item, Item.TYPE), b.word(pool, kind))


def _bind(module: ir.Module) -> ir.Function:
    """bind(frame): put this run's addresses into the steps' pointers."""
    b, (frame,) = function(module, "bind", VOID, [POINTER], private=True)
    pointers = b.address(frame, Frame.POINTERS)
    bindings = b.address(frame, Frame.BINDINGS)
    with b.count(b.word(frame, Frame.BINDING_COUNT)) as i:
        first = b.mul(i, I64(3))
        place, number, shift = (b.word(bindings, b.add(first, I64(k))) for k in range(3))
        data = b.word(frame, b.add(number, I64(Frame.OBJECTS)))
        b.put(pointers, place, b.add(data, shift))
    own = b.word(frame, Frame.ARENA)
    common = b.word(b.address(frame, Frame.POOL), Pool.ARENA)
    arena = b.select(b.icmp_unsigned("!=", own, I64(0)), own, common)
    moved = b.icmp_unsigned("!=", arena, b.word(frame, Frame.BOUND_ARENA))
    with b.if_then(moved, likely=False):
        bindings = b.address(frame, Frame.ARENA_BINDINGS)
        with b.count(b.word(frame, Frame.ARENA_BINDING_COUNT)) as i:
            first = b.mul(i, I64(2))
            place, shift = (b.word(bindings, b.add(first, I64(k))) for k in range(2))
            b.put(pointers, place, b.add(arena, shift))
        b.put(frame, Frame.BOUND_ARENA, arena)
    b.ret_void()
    return b.function


def _now(module: ir.Module) -> ir.Function:
    """now(pool): nanoseconds of the steady clock."""
    b, (pool,) = function(module, "now", I64, [POINTER], private=True)
    time = b.alloca(I64, 2)
    b.call(b.code(pool, Pool.CLOCK, _CLOCK_GETTIME), [I32(_CLOCK), time])
    b.ret(b.add(b.mul(b.word(time, 0), I64(10**9)), b.word(time, 1)))
    return b.function


def _run_step(module: ir.Module, divide: ir.Function) -> ir.Function:
    """run_step(pool, record, numbers, unstarted): what the kernel returns.

    Where there are no threads yet for a step that should be divided, one runs it, and
    `unstarted` is set to 1.
    """
    b, (pool, record, numbers, unstarted) = function(
        module, "run_step", I32, [POINTER] * 4, private=True
    )
    whole, divided, missing, there, ours = b.blocks("whole", "divided", "missing", "there", "ours")
    tasks = b.word(record, Record.TASKS)
    undivided = b.icmp_unsigned(">=", b.word(record, Record.CHUNK), tasks)
    alone = b.icmp_unsigned("<", b.word(pool, Pool.THREADS), I64(2))
    b.cbranch(b.or_(undivided, alone), whole, divided)

    b.position_at_end(whole)
    kernel = b.code(record, Record.KERNEL, KERNEL)
    b.ret(b.call(kernel, [b.address(record, Record.POINTERS), numbers, I64(0), tasks]))

    b.position_at_end(divided)
    started = b.icmp_unsigned("!=", b.shared(pool, Pool.STARTED), I64(0))
    b.cbranch(started, there, missing)

    b.position_at_end(missing)
    b.store(I64(1), unstarted)
    b.branch(whole)

    b.position_at_end(there)
    # another Python thread's program may have the workers: then this one goes on alone
    b.cbranch(b.swap(pool, Pool.BUSY, I64(0), I64(1)), ours, whole)

    b.position_at_end(ours)
    status = b.call(divide, [pool, record, numbers])
    b.share(pool, Pool.BUSY, I64(0))
    b.ret(status)
    return b.function


def _execute(
    module: ir.Module, bind: ir.Function, run_step: ir.Function, now: ir.Function | None
) -> ir.Function:
    """execute(frame): run from the frame's position on; see `layout` for what is returned."""
    name = "execute" if now is None else "execute_timed"
    b, (frame,) = function(module, name, I32, [POINTER])
    head, step, python, native, failed, following, out = b.blocks(
        "head", "step", "python", "native", "failed", "following", "out"
    )
    position, unstarted = b.alloca(I64), b.alloca(I64)
    b.store(I64(0), unstarted)
    pool, numbers = b.address(frame, Frame.POOL), b.address(frame, Frame.NUMBERS)
    steps, count = b.address(frame, Frame.STEPS), b.word(frame, Frame.STEP_COUNT)
    at = b.word(frame, Frame.POSITION)
    b.store(at, position)
    with b.if_then(b.icmp_unsigned("==", at, I64(0))):
        b.call(bind, [frame])
    b.branch(head)

    b.position_at_end(head)
    at = b.load(position, typ=I64)
    b.cbranch(b.icmp_unsigned("<", at, count), step, out)

    b.position_at_end(step)
    record = b.place(steps, b.mul(at, I64(Record.SIZE)))
    is_callback = b.icmp_unsigned("==", b.word(record, Record.KERNEL), I64(0))
    b.cbranch(is_callback, python, native)

    b.position_at_end(python)  # who comes back goes on after this step
    b.put(frame, Frame.POSITION, b.add(at, I64(1)))
    b.ret(I32(Status.CALLBACK))

    b.position_at_end(native)
    began = None if now is None else b.call(now, [pool])
    status = b.call(run_step, [pool, record, numbers, unstarted])
    b.cbranch(b.icmp_unsigned("==", status, I32(0)), following, failed)

    b.position_at_end(failed)
    b.ret(b.or_(b.shl(b.trunc(at, I32), I32(8)), I32(Status.FAULT)))

    b.position_at_end(following)
    if now is not None:
        times = b.address(frame, Frame.TIMES)
        took = b.sub(b.call(now, [pool]), began)
        b.put(times, at, b.add(b.word(times, at), took))
    b.store(b.add(at, I64(1)), position)
    b.branch(head)

    b.position_at_end(out)
    missed = b.icmp_unsigned("!=", b.load(unstarted, typ=I64), I64(0))
    b.ret(b.select(missed, I32(Status.NO_THREADS), I32(Status.FINISHED)))
    return b.function


def _run(module: ir.Module, load: ir.Function, execute: ir.Function) -> None:
    """run(words, arguments, count): a whole run in one call, as a function of Python's.

    `words` is the array with the frame's words, the arguments are `load`'s. What `execute` returns
    is returned as an int.
    """
    b, (words, given, _) = function(
        module, execute.name.replace("execute", "run"), POINTER, [POINTER, POINTER, I64]
    )
    frame = b.address(words, Item.VALUE)
    pool = b.address(frame, Frame.POOL)
    as_int = b.code(pool, Pool.FROM_LONG, _FROM_LONG)
    loaded = b.call(load, [frame, *(b.address(given, i) for i in range(3))])
    with b.if_then(b.icmp_unsigned("==", loaded, I32(0)), likely=False):
        # the reading of a number may have raised an error, which is raised by returning nothing
        error = b.call(b.code(pool, Pool.ERROR, _ERROR), [])
        with b.if_then(b.icmp_unsigned("!=", b.ptrtoint(error, I64), I64(0))):
            b.ret(POINTER(None))
        b.ret(b.call(as_int, [I64(Status.OTHER_OBJECTS)]))
    b.put(frame, Frame.POSITION, I64(0))
    b.ret(b.call(as_int, [b.sext(b.call(execute, [frame]), I64)]))
