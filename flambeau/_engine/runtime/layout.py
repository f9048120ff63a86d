"""Where the native side and Python keep what they share: arrays of 64-bit words."""

from __future__ import annotations

from enum import IntEnum


class Frame(IntEnum):
    """Words of a frame: what one run of a program works on."""

    STEPS = 0  # address of the steps' records
    COUNT = 1  # how many there are
    BINDINGS = 2  # address of triples: pointer's place, object's place, byte offset
    BINDING_COUNT = 3
    ARENA_BINDINGS = 4  # address of pairs: pointer's place, byte offset
    ARENA_BINDING_COUNT = 5
    POINTERS = 6  # address of all steps' pointers
    NUMBERS = 7  # address of the numbers' vector
    BOUND_ARENA = 8  # the arena that the pointers were last bound for
    DATA_OFFSET = 9  # where an array object holds its data's address; -1: objects are addresses
    POOL = 10  # address of the pool
    FAULT = 11  # what a kernel returned, where that was not 0
    TIMES = 12  # address of one word a step: nanoseconds, added up (timed runs only)
    CLOCK = 13  # address of the C library's clock_gettime (timed runs only)
    # From here on Python writes at each run, in one go.
    POSITION = 14  # the next step; at 0, the pointers are bound first
    ARENA = 15  # address of this run's scratch memory
    OBJECTS = 16  # ids of the input arrays, then of the fresh output arrays; then the numbers


class Record(IntEnum):
    """Words of a step's record."""

    KERNEL = 0  # address of its code; 0: Python's turn (a callback)
    POINTERS = 1  # address of its pointers
    TASKS = 2
    CHUNK = 3  # tasks that a thread takes at a time; not below TASKS: the step is not divided
    COUNT = 4  # how many pointers it has
    SCRATCH = 5  # 1: one more pointer follows them, to scratch memory of the thread's own
    SIZE = 6


class Pool(IntEnum):
    """Words of a pool; what different threads write lies 128 bytes or more apart."""

    TICKET = 0  # generation of the job (high half), next chunk (low half)
    DONE = 16  # chunks of the job that are finished
    FAULT = 17
    SLEEPERS = 32
    BUSY = 48  # 1 while a program has the workers to itself
    KERNEL = 64  # the job
    POINTERS = 65
    NUMBERS = 66
    TASKS = 67
    CHUNK = 68
    CHUNKS = 69
    COUNT = 70
    SCRATCH = 71
    THREADS = 80  # how many to use, the caller's included
    STARTED = 81  # how many there are, the caller's included
    STOP = 82
    SPINS = 83  # looks at the ticket before a worker sleeps
    SYSCALL = 84  # address of the C library's syscall
    FUTEX = 85  # the number of that system call
    YIELD = 86  # address of the C library's sched_yield
    SIZE = 96


class Worker(IntEnum):
    """Words of a worker's record."""

    POOL = 0
    SCRATCH = 1  # address of scratch memory of its own
    SIZE = 2


# What `execute` returns.
FINISHED, FAULTED, CALLBACK, START_POOL = range(4)
CLOSED = 0xFFFFFFFF  # the low half of a ticket while the job's words are written
