"""A line through noisy points: y = 3x - 1."""

import torch

torch.manual_seed(0)
x = torch.rand(200, 1)
y = 3 * x - 1 + 0.1 * torch.randn(200, 1)

model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)

for _ in range(200):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    scheduler.step()

slope, offset = model.weight.item(), model.bias.item()
print(f"y = {slope:.2f} x {offset:+.2f}, mean squared error {loss.item():.4f}")
