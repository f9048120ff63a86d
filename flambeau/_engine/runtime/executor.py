"""The native functions that are the same for every program.

`execute(frame)` runs a program's steps one after the other; a step that pays for it is divided
among the thread pool's workers. `run`, a function that Python calls with inputs, outputs and
numbers, first reads the arrays' addresses and the numbers from the Python objects themselves, which
takes Python over a microsecond; it is for programs that keep Python's lock. All addresses come from
the frame and the pool: the module has no external symbols, and its object code can be kept on disk
like a kernel's.

The pool's protocol. A *ticket* holds a job's generation and the next chunk to claim. Whoever wants
a chunk loads the ticket, reads how many chunks there are, and claims one by a compare-and-swap of
the whole ticket: it fails if the job has changed in between, so what was read belongs to the chunk
that was claimed. The caller takes part, and waits for chunks that were claimed, never for workers
that come late. Workers look at the ticket for a while, then sleep (futex on the generation) and
count themselves as sleepers, which is all that the caller needs to know to wake them. A worker that
once woke up on the caller's own processor goes to sleep with that one forbidden from then on: where
processors are virtual, Linux may leave both on one for tens of milliseconds, while another is idle.
"""

from __future__ import annotations

import functools
import time

import llvmlite.ir as ir

from .layout import CLOSED, Frame, Item, Pool, Record, Status, Worker
from .writer import F64, I32, I64, POINTER, VOID, Writer, function

_KERNEL = ir.FunctionType(I32, [POINTER, POINTER, I64, I64])
_SYSCALL = ir.FunctionType(I64, [I64], var_arg=True)
_AS_DOUBLE = ir.FunctionType(F64, [POINTER])
_FROM_LONG = ir.FunctionType(POINTER, [I64])
_ERROR = ir.FunctionType(POINTER, [])
_YIELD = _GET_CPU = ir.FunctionType(I32, [])
_AFFINITY = ir.FunctionType(I32, [I32, I64, POINTER])
_CLOCK_GETTIME = ir.FunctionType(I32, [I32, POINTER])
_FUTEX_WAIT_PRIVATE, _FUTEX_WAKE_PRIVATE = 128, 129
_CLOCK = getattr(time, "CLOCK_MONOTONIC", 1)
_LOOKS = 2000  # at the finished chunks, before the caller gives up its core at each look
_PROCESSORS = 16  # words of a set of processors: what the C library's has
_GENERATION = 4  # bytes from the ticket to its high half, which changes with the job
_JOB = ("KERNEL", "POINTERS", "TASKS", "CHUNK", "COUNT", "SCRATCH")  # from a record to the pool
NAMES = ("load", "execute", "execute_timed", "run", "run_timed", "worker", "take", "spin")


def build(module: ir.Module) -> None:
    """Write the functions of `NAMES` into a module."""
    _spin(module)
    _take(module)
    claim = _claim(module)
    run_chunk = _run_chunk(module)
    _worker(module, claim, run_chunk)
    divide = _divide(module, claim, run_chunk)
    load, bind = _load(module), _bind(module)
    run_step = _run_step(module, divide)
    for now in (None, _now(module)):
        _run(module, load, _execute(module, bind, run_step, now))


def _spin(module: ir.Module) -> None:
    """spin(times): a waiting loop, whose speed says how long a worker's patience is."""
    b, (times,) = function(module, "spin", VOID, [I64])
    with b.count(times):
        b.pause()
    b.ret_void()


def _take(module: ir.Module) -> None:
    """take(pool): have the workers to oneself; 1, or 0 where another program has them."""
    b, (pool,) = function(module, "take", I32, [POINTER])
    b.ret(b.zext(b.swap(pool, Pool.BUSY, I64(0), I64(1)), I32))


def _claim(module: ir.Module) -> ir.Function:
    """claim(pool): the number of a chunk that is the caller's from now on, or -1."""
    b, (pool,) = function(module, "claim", I64, [POINTER], private=True)
    look, attempt, claimed, none = b.blocks("look", "attempt", "claimed", "none")
    b.branch(look)
    b.position_at_end(look)
    ticket = b.shared(pool, Pool.TICKET)
    chunk = b.and_(ticket, I64(CLOSED))
    left = b.icmp_unsigned("<", chunk, b.shared(pool, Pool.CHUNKS))
    b.cbranch(left, attempt, none)
    b.position_at_end(attempt)
    b.cbranch(b.swap(pool, Pool.TICKET, ticket, b.add(ticket, I64(1))), claimed, look)
    b.position_at_end(claimed)
    b.ret(chunk)
    b.position_at_end(none)
    b.ret(I64(-1))
    return b.function


def _run_chunk(module: ir.Module) -> ir.Function:
    """run_chunk(pool, scratch, chunk): run a chunk that was claimed.

    A worker passes its scratch memory; the caller null, since the job's pointers have its own.
    """
    b, (pool, scratch, chunk) = function(
        module, "run_chunk", VOID, [POINTER, POINTER, I64], private=True
    )
    pointers = b.address(pool, Pool.POINTERS)
    begin = b.mul(chunk, b.word(pool, Pool.CHUNK))
    end = b.lower(b.add(begin, b.word(pool, Pool.CHUNK)), b.word(pool, Pool.TASKS))
    is_worker = b.icmp_unsigned("!=", b.ptrtoint(scratch, I64), I64(0))
    wants = b.icmp_unsigned("!=", b.word(pool, Pool.SCRATCH), I64(0))
    passed = b.alloca(POINTER)
    b.store(pointers, passed)
    with b.if_then(b.and_(is_worker, wants)):
        count = b.word(pool, Pool.COUNT)
        copy = b.alloca(I64, b.add(count, I64(1)))
        with b.count(count) as i:
            b.put(copy, i, b.word(pointers, i))
        b.put(copy, count, b.ptrtoint(scratch, I64))
        b.store(copy, passed)
    kernel = b.code(pool, Pool.KERNEL, _KERNEL)
    status = b.call(
        kernel, [b.load(passed, typ=POINTER), b.address(pool, Pool.NUMBERS), begin, end]
    )
    with b.if_then(b.icmp_signed("!=", status, I32(0))):
        b.share(pool, Pool.FAULT, b.sext(status, I64))
    b.change(pool, Pool.DONE, 1)
    b.ret_void()
    return b.function


def _forbid(module: ir.Module) -> ir.Function:
    """forbid(pool, full): do not let this thread run where the caller was; 1 if it may elsewhere.

    `full` then has the set of processors to return to.
    """
    b, (pool, full) = function(module, "forbid", I64, [POINTER, POINTER], private=True)
    refused = b.function.append_basic_block("refused")
    size = I64(8 * _PROCESSORS)
    ask = b.code(pool, Pool.GET_AFFINITY, _AFFINITY)
    _unless(b, b.icmp_signed("==", b.call(ask, [I32(0), size, full]), I32(0)), refused)
    place = b.word(pool, Pool.PROCESSOR)
    word, bit = b.lshr(place, I64(6)), b.shl(I64(1), b.and_(place, I64(63)))
    allowed = b.word(full, word)
    b.put(full, word, b.and_(allowed, b.not_(bit)))
    others = functools.reduce(b.or_, [b.word(full, i) for i in range(_PROCESSORS)])
    _unless(b, b.icmp_unsigned("!=", others, I64(0)), refused)
    b.call(b.code(pool, Pool.SET_AFFINITY, _AFFINITY), [I32(0), size, full])
    b.put(full, word, allowed)
    b.ret(I64(1))
    b.position_at_end(refused)
    b.ret(I64(0))
    return b.function


def _sleep(module: ir.Module) -> ir.Function:
    """sleep(record, generation): wait for another generation, away from the caller's processor."""
    b, (record, generation) = function(module, "sleep", VOID, [POINTER, I64], private=True)
    forbid = _forbid(module)
    pool = b.address(record, Worker.POOL)
    full = b.alloca(I64, _PROCESSORS)

    def allow() -> None:
        order = b.code(pool, Pool.SET_AFFINITY, _AFFINITY)
        b.call(order, [I32(0), I64(8 * _PROCESSORS), full])

    forbidden = b.alloca(I64)
    b.store(I64(0), forbidden)
    wary = b.icmp_unsigned("!=", b.word(record, Worker.WARY), I64(0))
    with b.if_then(wary):
        b.store(b.call(forbid, [pool, full]), forbidden)
    b.change(pool, Pool.SLEEPERS, 1)
    _futex(b, pool, _FUTEX_WAIT_PRIVATE, generation)
    b.change(pool, Pool.SLEEPERS, -1)
    with b.if_then(b.icmp_unsigned("!=", b.load(forbidden, typ=I64), I64(0))):
        allow()
    here = b.zext(b.call(b.code(pool, Pool.GET_CPU, _GET_CPU), []), I64)
    with b.if_then(b.icmp_unsigned("==", here, b.word(pool, Pool.PROCESSOR)), likely=False):
        b.put(record, Worker.WARY, I64(1))
        with b.if_then(b.icmp_unsigned("!=", b.call(forbid, [pool, full]), I64(0))):
            allow()
    b.ret_void()
    return b.function


def _worker(module: ir.Module, claim: ir.Function, run_chunk: ir.Function) -> None:
    """worker(record): what a thread of the pool does until the pool stops."""
    rest = _sleep(module)
    b, (record,) = function(module, "worker", POINTER, [POINTER])
    fresh, look, run, idle, patient, sleep, out = b.blocks(
        "fresh", "look", "run", "idle", "patient", "sleep", "out"
    )
    pool = b.address(record, Worker.POOL)
    looks = b.alloca(I64)
    b.branch(fresh)

    b.position_at_end(fresh)
    b.store(I64(0), looks)
    b.branch(look)

    b.position_at_end(look)
    ticket = b.shared(pool, Pool.TICKET)
    chunk = b.call(claim, [pool])
    b.cbranch(b.icmp_signed(">=", chunk, I64(0)), run, idle)

    b.position_at_end(run)
    b.call(run_chunk, [pool, b.address(record, Worker.SCRATCH), chunk])
    b.branch(fresh)

    b.position_at_end(idle)
    stop = b.icmp_unsigned("!=", b.shared(pool, Pool.STOP), I64(0))
    b.cbranch(stop, out, patient)

    b.position_at_end(patient)
    b.pause()
    looked = b.add(b.load(looks, typ=I64), I64(1))
    b.store(looked, looks)
    b.cbranch(b.icmp_unsigned("<", looked, b.word(pool, Pool.SPINS)), look, sleep)

    b.position_at_end(sleep)  # unless the generation has changed since the look
    b.call(rest, [record, b.lshr(ticket, I64(32))])
    b.branch(fresh)

    b.position_at_end(out)
    b.ret(POINTER(None))


def _futex(b: Writer, pool: ir.Value, operation: int, value: ir.Value) -> None:
    """The system call, on the ticket's generation, without a timeout."""
    at = b.gep(pool, [I64(_GENERATION)], source_etype=ir.IntType(8))
    syscall = b.code(pool, Pool.SYSCALL, _SYSCALL)
    number = b.word(pool, Pool.FUTEX)
    b.call(syscall, [number, at, I64(operation), value, I64(0), I64(0), I64(0)])


def _divide(module: ir.Module, claim: ir.Function, run_chunk: ir.Function) -> ir.Function:
    """divide(pool, record, numbers): run a step with the workers; the pool is the caller's."""
    b, (pool, record, numbers) = function(
        module, "divide", I32, [POINTER, POINTER, POINTER], private=True
    )
    looks = b.alloca(I64)
    b.store(I64(0), looks)
    generation = b.or_(b.shared(pool, Pool.TICKET), I64(CLOSED))
    closed = b.add(generation, I64(1 << 32))
    b.share(pool, Pool.TICKET, closed)
    for name in _JOB:
        b.put(pool, Pool[name], b.word(record, Record[name]))
    b.put(pool, Pool.NUMBERS, b.ptrtoint(numbers, I64))
    here = b.call(b.code(pool, Pool.GET_CPU, _GET_CPU), [])
    b.put(pool, Pool.PROCESSOR, b.zext(here, I64))
    b.share(pool, Pool.DONE, I64(0))
    b.share(pool, Pool.FAULT, I64(0))
    chunk = b.word(record, Record.CHUNK)
    chunks = b.udiv(b.add(b.word(record, Record.TASKS), b.sub(chunk, I64(1))), chunk)
    b.share(pool, Pool.CHUNKS, chunks)
    b.share(pool, Pool.TICKET, b.add(closed, I64(1)))  # the next generation, chunk 0
    asleep = b.icmp_unsigned("!=", b.shared(pool, Pool.SLEEPERS), I64(0))
    with b.if_then(asleep):
        _futex(b, pool, _FUTEX_WAKE_PRIVATE, b.sub(chunks, I64(1)))

    work, run, wait, look, give_up, out = b.blocks("work", "run", "wait", "look", "give_up", "out")
    b.branch(work)
    b.position_at_end(work)
    mine = b.call(claim, [pool])
    b.cbranch(b.icmp_signed(">=", mine, I64(0)), run, wait)
    b.position_at_end(run)
    b.call(run_chunk, [pool, POINTER(None), mine])
    b.branch(work)
    b.position_at_end(wait)
    finished = b.icmp_unsigned("==", b.shared(pool, Pool.DONE), chunks)
    b.cbranch(finished, out, look)
    b.position_at_end(look)
    b.pause()
    looked = b.add(b.load(looks, typ=I64), I64(1))
    b.store(looked, looks)
    b.cbranch(b.icmp_unsigned("<", looked, I64(_LOOKS)), wait, give_up)
    b.position_at_end(give_up)  # a worker has a chunk and no core
    b.call(b.code(pool, Pool.YIELD, _YIELD), [])
    b.branch(wait)
    b.position_at_end(out)
    b.ret(b.trunc(b.shared(pool, Pool.FAULT), I32))
    return b.function


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
                _unless(b, _is_a(b, pool, item, Pool.ARRAY), refuse)
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
    _unless(b, b.or_(is_list, _is_a(b, pool, sequence, Pool.TUPLE)), refuse)
    _unless(b, b.icmp_unsigned("==", b.word(sequence, Item.SIZE), expected), refuse)
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
    _unless(b, _is_a(b, pool, item, Pool.INT), refuse)
    converted = b.call(b.code(pool, Pool.AS_DOUBLE, _AS_DOUBLE), [item])
    # -1 may say that it was too large: ctypes then raises the error that has been set
    _unless(b, b.fcmp_ordered("!=", converted, F64(-1)), refuse)
    other_end = b.block
    b.branch(out)
    b.position_at_end(out)
    result = b.phi(F64)
    result.add_incoming(value, exact)
    result.add_incoming(converted, other_end)
    return result


def _is_a(b: Writer, pool: ir.Value, item: ir.Value, kind: Pool) -> ir.Value:
    return b.icmp_unsigned("==", b.word(item, Item.TYPE), b.word(pool, kind))


def _unless(b: Writer, condition: ir.Value, otherwise: ir.Block) -> None:
    """Go on if the condition holds."""
    go_on = b.function.append_basic_block("go_on")
    b.cbranch(condition, go_on, otherwise)
    b.position_at_end(go_on)


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
    kernel = b.code(record, Record.KERNEL, _KERNEL)
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
