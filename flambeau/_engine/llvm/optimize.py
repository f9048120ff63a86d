"""The passes that generated code needs: few, since the emitters make vectors themselves."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as binding

# In order. LLVM's own pipelines take two to three times as long and give the same code: what is
# left to do is to inline the vector maths, to make registers of accumulators, and to tidy up.
_PASSES = (
    "sroa", "instruction_combine", "loop_simplify", "loop_rotate", "new_gvn", "simplify_cfg",
)  # fmt: skip


def optimize(module: Any, machine: Any) -> None:
    """Improves a module (llvmlite's `ModuleRef`) in place.

    Args:
        machine: the target machine that code is to be made with.
    """
    options = binding.create_pipeline_tuning_options(speed_level=2)
    builder = binding.create_pass_builder(machine, options)
    whole = binding.create_new_module_pass_manager()
    whole.add_always_inliner_pass()
    whole.add_global_dead_code_eliminate_pass()
    whole.run(module, builder)
    each = binding.create_new_function_pass_manager()
    for name in _PASSES:
        getattr(each, f"add_{name}_pass")()
    for function in module.functions:
        if not function.is_declaration:
            each.run(function, builder)
