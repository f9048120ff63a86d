"""An IR builder for tables of 64-bit words that threads share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import llvmlite.ir as ir

I32, I64, F64 = ir.IntType(32), ir.IntType(64), ir.DoubleType()
POINTER, VOID = ir.PointerType(), ir.VoidType()

# What tells a processor that it waits: LLVM's name for the instruction, and its operands.
_HINTS: dict[str, tuple[str, tuple[int, ...]]] = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.hint", (1,)),
}


def function(
    module: ir.Module,
    name: str,
    result: ir.Type,
    arguments: Sequence[ir.Type],
    private: bool = False,
) -> tuple[Writer, Sequence[ir.Argument]]:
    """A new function: a writer at its beginning, and its arguments."""
    made = ir.Function(module, ir.FunctionType(result, arguments), name)
    made.attributes.add("nounwind")
    if private:
        made.linkage = "private"
    return Writer(made.append_basic_block("entry")), made.args


class Writer(ir.IRBuilder):
    """Reads and writes words; counts; waits."""

    def blocks(self, *names: str) -> list[ir.Block]:
        """New blocks of the function, in order."""
        return [self.function.append_basic_block(name) for name in names]

    def place(self, base: ir.Value, word: int | ir.Value) -> ir.Value:
        """The address of a word."""
        at = word if isinstance(word, ir.Value) else I64(int(word))
        return self.gep(base, [at], source_etype=I64)

    def word(self, base: ir.Value, word: int | ir.Value) -> ir.Value:
        """A word as a number."""
        return self.load(self.place(base, word), typ=I64)

    def address(self, base: ir.Value, word: int | ir.Value) -> ir.Value:
        """A word as a pointer."""
        return self.load(self.place(base, word), typ=POINTER)

    def code(self, base: ir.Value, word: int, kind: ir.FunctionType) -> ir.Value:
        """A word as a function to call."""
        return self.inttoptr(self.word(base, word), kind.as_pointer())

    def put(self, base: ir.Value, word: int | ir.Value, value: ir.Value) -> None:
        """Write a word."""
        self.store(value, self.place(base, word))

    def shared(self, base: ir.Value, word: int) -> ir.Value:
        """A word that other threads write."""
        return self.load_atomic(self.place(base, word), "seq_cst", 8, typ=I64)

    def share(self, base: ir.Value, word: int, value: ir.Value) -> None:
        """Write a word that other threads read."""
        # an exchange: llvmlite's atomic stores do not know untyped pointers
        self.atomic_rmw("xchg", self.place(base, word), value, "seq_cst")

    def change(self, base: ir.Value, word: int, by: int) -> None:
        """Add to a word that other threads change too."""
        self.atomic_rmw("add", self.place(base, word), I64(by), "seq_cst")

    def swap(self, base: ir.Value, word: int, old: ir.Value, new: ir.Value) -> ir.Value:
        """Write a word if it is `old`; whether that was so."""
        return self.extract_value(
            self.cmpxchg(self.place(base, word), old, new, "seq_cst", "seq_cst"), 1
        )

    def lower(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The lower of two numbers."""
        return self.select(self.icmp_signed("<", a, b), a, b)

    def go_unless(self, condition: ir.Value, out: ir.Block) -> None:
        """Leave for a block unless something is so."""
        (on,) = self.blocks("on")
        self.cbranch(condition, on, out)
        self.position_at_end(on)

    def pause(self) -> None:
        """Tell the processor that this is a waiting loop."""
        hint = _HINTS.get(self.module.triple.partition("-")[0])
        if hint is not None:
            name, values = hint
            kind = ir.FunctionType(VOID, [I32] * len(values))
            declared = self.module.globals.get(name) or ir.Function(self.module, kind, name)
            self.call(declared, [I32(value) for value in values])

    @contextmanager
    def count(self, end: ir.Value) -> Iterator[ir.Value]:
        """A loop over 0 ... end - 1, entered if there are any."""
        before = self.block
        body, out = self.blocks("body", "out")
        self.cbranch(self.icmp_signed(">", end, I64(0)), body, out)
        self.position_at_end(body)
        i = self.phi(I64)
        i.add_incoming(I64(0), before)
        yield i
        following = self.add(i, I64(1))
        i.add_incoming(following, self.block)
        self.cbranch(self.icmp_signed("<", following, end), body, out)
        self.position_at_end(out)
