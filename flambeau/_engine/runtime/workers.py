"""The thread pool's native functions: how a step is divided among workers.

The protocol. A *ticket* holds a job's generation and the next chunk to claim. Whoever wants
a chunk loads the ticket, reads how many chunks there are, and claims one by a compare-and-swap of
the whole ticket: it fails if the job has changed in between, so what was read belongs to the chunk
that was claimed. The caller takes part, and waits for chunks that were claimed, never for workers
that come late. Workers look at the ticket for a while, then sleep (futex on the generation) and
count themselves as sleepers, which is all that the caller needs to know to wake them.

A worker that once woke up on the caller's own processor goes to sleep with that one forbidden from
then on: where processors are virtual, Linux may leave both threads on one for tens of milliseconds,
while another is idle.
"""

from __future__ import annotations

import functools

import llvmlite.ir as ir

from .layout import CLOSED, Pool, Record, Worker
from .writer import I32, I64, POINTER, VOID, Writer, function

KERNEL = ir.FunctionType(I32, [POINTER, POINTER, I64, I64])
_SYSCALL = ir.FunctionType(I64, [I64], var_arg=True)
_YIELD = _GET_CPU = ir.FunctionType(I32, [])
_AFFINITY = ir.FunctionType(I32, [I32, I64, POINTER])
_FUTEX_WAIT_PRIVATE, _FUTEX_WAKE_PRIVATE = 128, 129
_LOOKS = 2000  # at the finished chunks, before the caller gives up its core at each look
_PROCESSORS = 16  # words of a set of processors: what the C library's has
_GENERATION = 4  # bytes from the ticket to its high half, which changes with the job
_JOB = ("KERNEL", "POINTERS", "TASKS", "CHUNK", "COUNT", "SCRATCH")  # from a record to the pool
NAMES = ("worker", "take", "spin")


def build(module: ir.Module) -> ir.Function:
    """Write the functions of `NAMES` into a module, and `divide`, which is returned."""
    _spin(module)
    _take(module)
    claim = _claim(module)
    run_chunk = _run_chunk(module)
    _worker(module, claim, run_chunk)
    return _divide(module, claim, run_chunk)


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
    kernel = b.code(pool, Pool.KERNEL, KERNEL)
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
    b.go_unless(b.icmp_signed("==", b.call(ask, [I32(0), size, full]), I32(0)), refused)
    place = b.word(pool, Pool.PROCESSOR)
    word, bit = b.lshr(place, I64(6)), b.shl(I64(1), b.and_(place, I64(63)))
    allowed = b.word(full, word)
    b.put(full, word, b.and_(allowed, b.not_(bit)))
    others = functools.reduce(b.or_, [b.word(full, i) for i in range(_PROCESSORS)])
    b.go_unless(b.icmp_unsigned("!=", others, I64(0)), refused)
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
