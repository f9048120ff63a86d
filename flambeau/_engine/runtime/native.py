"""From LLVM IR to code in memory: one object a module, loaded by ORC.

llvmlite allows one thread at a time into LLVM, and a fork while another thread is inside would
leave its locks taken for ever in the child: everything here goes through `LOCK`, which a fork
waits for.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from functools import cache
from typing import Any

import llvmlite.binding as binding

from ..llvm.host import Host

LOCK = threading.RLock()
# The emitters make vectors and unroll themselves: code is as fast as after LLVM's own O2 pipeline,
# which takes four times as long. (Without sinking, epilogues of products spill.)
_PASSES = ("always_inliner", "sroa", "instruction_combine", "simplify_cfg", "new_gvn", "sinking",
           "instruction_combine", "simplify_cfg")  # fmt: skip
_numbers = itertools.count()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release
    )


@cache
def _prepare() -> None:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


@cache
def triple() -> str:
    """LLVM's name for this kind of machine and system."""
    return binding.get_process_triple()


@cache
def _target_machine(host: Host) -> Any:
    _prepare()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=host.name, features=host.features, opt=2, reloc="pic", codemodel="small"
    )


@cache
def _compiler() -> Any:
    # JITLink puts an object's sections side by side, as the small code model demands
    _prepare()
    return binding.create_lljit_compiler(use_jit_link=True)


def compile_text(text: str, host: Host) -> bytes:
    """The object code of a module.

    Raises:
        RuntimeError: LLVM does not accept the text.
    """
    with LOCK:
        machine = _target_machine(host)
        module = binding.parse_assembly(text, binding.create_context())
        module.triple = triple()
        module.data_layout = str(machine.target_data)
        module.verify()
        options = binding.create_pipeline_tuning_options(speed_level=2)
        manager = binding.create_new_module_pass_manager()
        for name in _PASSES:
            getattr(manager, f"add_{name}_pass")()
        manager.run(module, binding.create_pass_builder(machine, options))
        return machine.emit_object(module)


class Code:
    """An object's functions in memory, for as long as this lives."""

    __slots__ = ("_tracker", "names")

    def __init__(self, image: bytes, names: tuple[str, ...]):
        self.names = names
        builder = binding.JITLibraryBuilder().add_object_img(image).add_current_process()
        for name in names:
            builder.export_symbol(name)
        with LOCK:
            self._tracker = builder.link(_compiler(), f"flambeau.{next(_numbers)}")

    def __getitem__(self, name: str) -> int:
        """A function's address."""
        return self._tracker[name]

    def __del__(self, is_finalizing=sys.is_finalizing) -> None:
        # at exit the memory goes anyway, and the compiler, and this module's names, may be gone
        # before this
        if hasattr(self, "_tracker") and not is_finalizing():
            with LOCK:
                self._tracker.close()
