"""The dtypes that PyTorch gives for all pairs of operands.

python -m tests.golden.make_promotion
"""

from __future__ import annotations

import json
from pathlib import Path


def main() -> None:
    """Fill in the table with torch."""
    import torch

    from tests.engine.promotion import table

    lines = ",\n".join(f'"{key}": {json.dumps(row)}' for key, row in table(torch).items())
    Path(__file__).with_name("promotion.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
