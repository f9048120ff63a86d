"""Train an MLP on 1,797 images of handwritten digits, as one would with PyTorch.

Nothing here is special to flambeau but its name in three imports: with `torch` in its place the
program runs on PyTorch and gives the same losses (`make conformance` compares them).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import flambeau as torch
import flambeau.nn as nn
from flambeau.utils.data import DataLoader, TensorDataset, random_split

DATA = Path(__file__).parent / "data" / "digits.csv.gz"
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class MLP(nn.Module):
    """Two linear layers with a ReLU between them."""

    def __init__(self, in_dim: int, hidden: int, out_dim: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(in_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, out_dim),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def load_digits() -> TensorDataset:
    """The images as float32 rows of 64 values in [0, 1], and their labels."""
    rows = np.loadtxt(DATA, delimiter=",", dtype=np.int64)
    images = torch.from_numpy(rows[:, :64]).to(torch.float32) / 16
    return TensorDataset(images, torch.from_numpy(rows[:, 64].copy()))


def evaluate(model: nn.Module, loader: DataLoader) -> tuple[float, float]:
    """Mean loss and accuracy over a loader."""
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for xb, yb in loader:
            xb, yb = xb.to(device), yb.to(device)
            logits = model(xb)
            loss += nn.functional.cross_entropy(logits, yb, reduction="sum").item()
            correct += (logits.argmax(dim=1) == yb).sum().item()
            count += len(yb)
    return loss / count, correct / count


def train(options: argparse.Namespace) -> dict:
    """Train with early stopping; the best model goes to `checkpoint.pt`. Returns the curves."""
    from tqdm import tqdm

    torch.manual_seed(options.seed)
    parts = random_split(load_digits(), [1257, 270, 270])
    train_loader = DataLoader(parts[0], batch_size=32, shuffle=True)
    val_loader, test_loader = (DataLoader(part, batch_size=270) for part in parts[1:])
    model = MLP(64, options.hidden, 10).to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    checkpoint = options.out / "checkpoint.pt"
    curves: dict = {"step": [], "train": [], "train_accuracy": [], "val": [], "val_accuracy": []}
    best, best_epoch, seconds = float("inf"), 0, 0.0
    bar = tqdm(range(options.epochs), desc="training", unit="epoch", disable=options.quiet)
    for epoch in bar:
        losses, correct, count = [], [], 0
        started = time.perf_counter()
        model.train()
        for xb, yb in train_loader:
            xb, yb = xb.to(device), yb.to(device)
            optimizer.zero_grad(set_to_none=True)
            logits = model(xb)
            loss = criterion(logits, yb)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            correct.append((logits.argmax(dim=1) == yb).sum())
            count += len(yb)
        step_losses = torch.stack(losses).tolist()
        seconds += time.perf_counter() - started
        train_loss, train_accuracy = np.mean(step_losses), sum(c.item() for c in correct) / count
        val_loss, val_accuracy = evaluate(model, val_loader)
        curves["step"] += step_losses
        for name, value in (
            ("train", train_loss),
            ("train_accuracy", train_accuracy),
            ("val", val_loss),
            ("val_accuracy", val_accuracy),
        ):
            curves[name].append(float(value))
        bar.set_postfix_str(
            f"loss {train_loss:.4f}, val {val_loss:.4f}, "
            f"accuracy {train_accuracy:.1%}, val {val_accuracy:.1%}",
            refresh=False,
        )
        if val_loss < best:
            best, best_epoch = val_loss, epoch
            torch.save({"epoch": epoch, "model": model.state_dict()}, checkpoint)
        elif epoch - best_epoch >= options.patience:
            break
    bar.close()
    model.load_state_dict(torch.load(checkpoint)["model"])
    curves["test"], curves["test_accuracy"] = evaluate(model, test_loader)
    curves["best_epoch"], curves["step_ms"] = best_epoch, 1000 * seconds / len(curves["step"])
    return curves


def draw(curves: dict, path: Path) -> None:
    """The learning curve as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    axes[0].plot(curves["train"], label="train")
    axes[0].plot(curves["val"], label="validation")
    axes[0].axvline(curves["best_epoch"], color="grey", linestyle=":", label="checkpoint")
    axes[0].set(xlabel="epoch", ylabel="cross-entropy loss", yscale="log")
    axes[0].legend()
    axes[1].plot(curves["train_accuracy"], label="train")
    axes[1].plot(curves["val_accuracy"], label="validation")
    axes[1].set(xlabel="epoch", ylabel="accuracy", ylim=(0.85, 1.005))
    axes[1].legend()
    figure.suptitle(f"Handwritten digits: test accuracy {curves['test_accuracy']:.1%}")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train an MLP on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=80, help="at most (80)")
    parser.add_argument("--hidden", type=int, default=128, help="hidden units (128)")
    parser.add_argument("--patience", type=int, default=8, help="epochs without gain (8)")
    parser.add_argument("--seed", type=int, default=3, help="of the split and the weights (3)")
    parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="runs/digits")
    parser.add_argument("--quiet", action="store_true", help="no bar and no picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    curves = train(options)
    (options.out / "curves.json").write_text(json.dumps(curves))
    if not options.quiet:
        draw(curves, options.out / "learning_curve.png")
        print(f"learning curve   {options.out / 'learning_curve.png'}")
    print(f"checkpoint       {options.out / 'checkpoint.pt'} (epoch {curves['best_epoch']})")
    print(f"time per step    {curves['step_ms']:.3f} ms, batch of 32, loader included")
    print(f"test accuracy    {curves['test_accuracy']:.4f}")


if __name__ == "__main__":
    main()
