"""Histories that reads cut in two, that are used up, or that begin in the middle of a step."""

from __future__ import annotations

from typing import Any

from .common import STEPS, Read, batches, footgun, mlp


@footgun(35)
def leaves_made_in_the_middle(torch: Any, read: Read) -> Any:
    """A result becomes a leaf, or does not, before or after it is read."""
    w = torch.rand(4, 4, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    results: list[Any] = []
    for i, (x, _) in enumerate(batches(torch, 3 * STEPS)):
        hidden = (x @ w).tanh()
        leaf = (hidden * 2).detach()
        other = hidden.detach()
        if i % 4 > 1:
            results.append(leaf.sum().item())
        if i % 6 < 4:
            leaf.requires_grad_()
        if i % 3:
            other.requires_grad = True
        middle = (leaf * 0.5).tanh()
        loss = (middle * leaf * hidden + other).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        results += [read(loss), read(leaf.grad), read(other.grad), middle.requires_grad]
    return [results, w]


@footgun(35)
def gradient_penalty_of_a_mixture(torch: Any, read: Read) -> Any:
    """A critic's penalty at points between true and false ones, which are leaves of their own."""
    critic, maker = mlp(torch), torch.nn.Linear(3, 4)
    critics = torch.optim.SGD(critic.parameters(), lr=0.02)  # a bias's slope is mere rounding
    makers = torch.optim.Adam(maker.parameters(), lr=0.01)
    losses: list[Any] = []
    for i, (x, _) in enumerate(batches(torch, 2 * STEPS)):
        false = maker(torch.rand(6, 3))
        share = torch.rand(6, 1)
        mixed = (share * x + (1 - share) * false.detach()).requires_grad_(True)
        scores = critic(mixed)
        (slope,) = torch.autograd.grad(
            scores, mixed, grad_outputs=torch.ones_like(scores), create_graph=True
        )
        penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
        loss = critic(false.detach()).mean() - critic(x).mean() + penalty
        critics.zero_grad()
        loss.backward()
        critics.step()
        losses += [read(loss), read(penalty)]
        if i % 2:
            makers.zero_grad()
            made = -critic(false).mean()
            made.backward()
            makers.step()
            losses.append(read(made))
    return [losses, maker.weight]


@footgun(35)
def losses_added_after_use(torch: Any, read: Read) -> Any:
    """Two backwards with reads between them, whose losses are added when both are used up."""
    model = mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    cross = torch.nn.functional.cross_entropy
    results: list[Any] = []
    running = 0.0
    for i, (x, y) in enumerate(batches(torch, 3 * STEPS)):
        model.zero_grad()
        out = model(x)
        first = cross(out, y)
        first.backward()
        results.append(out.mean().item())
        out = model(x.flip(1))
        second = cross(out, y.flip(0))
        second.backward()
        results.append(out.mean().item())
        both = first + second
        running = running + both
        optimizer.step()
        results += [read(both), both.requires_grad, both.is_leaf]
        if i % 10 == 9:
            results.append(read(running))
            running = torch.zeros(())
    return [results, model[0].weight]


@footgun(35)
def many_reads_before_backward(torch: Any, read: Read) -> Any:
    model = mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    total, results = 0, []
    for i, (x, y) in enumerate(batches(torch, 60)):
        loss = torch.nn.functional.cross_entropy(model(x), y) / 10
        total = total + loss
        results.append(loss.item())
        if i % 10 == 9:
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            total = 0
    return [results, read(model[0].weight)]


@footgun(35)
def a_state_that_is_carried(torch: Any, read: Read) -> Any:
    """Truncated backward through time: detached at the end, in place, or every third step."""
    results: list[Any] = []
    for way in range(3):
        cell = torch.nn.GRU(2, 3, batch_first=True)
        optimizer = torch.optim.Adam(cell.parameters(), lr=0.02)
        hidden, total = torch.zeros(1, 2, 3), 0
        for i in range(2 * STEPS):
            out, hidden = cell(torch.rand(2, 3, 2), hidden)
            total = total + out.pow(2).mean()
            results.append(read(hidden))
            if way == 2 and i % 3:
                continue
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            results.append(read(total))
            total = 0
            if way == 1:
                hidden.detach_()
            else:
                hidden = hidden.detach()
    return results
