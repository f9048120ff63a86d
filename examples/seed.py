"""Tensors and autograd, a module, and the standard training loop."""

import torch

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
x = torch.linspace(-1, 1, steps=100, device=device, requires_grad=True)
y = (x * x).sum()
y.backward()  # x.grad holds dy/dx
print("gradient is 2x:", torch.equal(x.grad, 2 * x.detach()))

import torch.nn as nn


class MLP(nn.Module):
    def __init__(self, in_dim: int, hidden: int, out_dim: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(in_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, out_dim),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


# Three noisy clusters in 20 dimensions.
torch.manual_seed(0)
in_dim, hidden, num_classes, epochs = 20, 64, 3, 5
labels = torch.randint(num_classes, (1024,))
points = torch.randn(num_classes, in_dim)[labels] + torch.randn(1024, in_dim)
train_loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(points, labels), batch_size=32, shuffle=True
)

model = MLP(in_dim, hidden, num_classes).to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)

for epoch in range(epochs):
    model.train()
    for xb, yb in train_loader:
        xb, yb = xb.to(device), yb.to(device)
        optimizer.zero_grad(set_to_none=True)
        logits = model(xb)
        loss = criterion(logits, yb)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.4f}")
