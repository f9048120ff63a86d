"""Where the native side and Python keep what they share: arrays of 64-bit words."""

from __future__ import annotations

from enum import IntEnum


class Frame(IntEnum):
    """Words of a frame: what one run of a program works on."""

    STEPS = 0  # address of the steps' records
    STEP_COUNT = 1
    BINDINGS = 2  # address of triples: pointer's place, object's place, byte offset
    BINDING_COUNT = 3
    ARENA_BINDINGS = 4  # address of pairs: pointer's place, byte offset
    ARENA_BINDING_COUNT = 5
    POINTERS = 6  # address of all steps' pointers
    INPUT_COUNT = 7
    OUTPUT_COUNT = 8
    NUMBER_COUNT = 9
    NUMBERS = 10  # address of the numbers' vector
    BOUND_ARENA = 11  # the arena that the pointers were last bound for
    POOL = 12  # address of the pool
    TIMES = 13  # address of one word a step: nanoseconds, added up (timed runs only)
    ARENA = 14  # address of this run's scratch memory; 0: the pool's
    POSITION = 15  # the next step; at 0, the pointers are bound first
    OBJECTS = 16  # addresses of the inputs' data, then of the outputs'; then the numbers


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
    PROCESSOR = 72  # the number of the one that the caller runs on
    THREADS = 80  # how many to use, the caller's included
    STARTED = 81  # how many there are, the caller's included
    STOP = 82
    SPINS = 83  # looks at the ticket before a worker sleeps
    SYSCALL = 84  # address of the C library's syscall
    FUTEX = 85  # the number of that system call
    YIELD = 86  # address of the C library's sched_yield
    CLOCK = 87  # address of its clock_gettime
    ARENA = 88  # address of scratch memory for programs that keep Python's lock
    LIST = 89  # addresses of Python's types
    TUPLE = 90
    FLOAT = 91
    INT = 92
    ARRAY = 93
    AS_DOUBLE = 94  # addresses of functions of Python's: PyFloat_AsDouble,
    FROM_LONG = 95  # PyLong_FromLong,
    ERROR = 96  # and PyErr_Occurred
    GET_CPU = 97  # addresses of the C library's sched_getcpu,
    GET_AFFINITY = 98  # sched_getaffinity
    SET_AFFINITY = 99  # and sched_setaffinity
    SIZE = 100


class Worker(IntEnum):
    """Words of a worker's record."""

    POOL = 0
    SCRATCH = 1  # address of scratch memory of its own
    WARY = 2  # 1 after it woke up on the caller's processor
    SIZE = 3


class Status(IntEnum):
    """What `execute` and `run` return."""

    FINISHED = 0
    CALLBACK = 1  # the frame's position is after it
    NO_THREADS = 2  # finished, but a step should have been divided
    OTHER_OBJECTS = 3  # nothing has happened: Python has to read its objects itself
    FAULT = 4  # and from the 8th bit on, the step


class Item(IntEnum):
    """Words of Python's objects; `objects.known` looks whether it is so."""

    TYPE = 1
    SIZE = 2  # of a list or tuple
    ITEMS = 3  # a list's: their address; a tuple's: the first of them
    VALUE = 2  # a float's: itself; an array's: the address of its data


CLOSED = 0xFFFFFFFF  # the low half of a ticket while the job's words are written
