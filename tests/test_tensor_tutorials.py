"""Programs as PyTorch's tutorials write them run after `import jitnet as torch`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import jitnet as torch
from jitnet import nn


def test_tensors() -> None:
    """Making, moving, indexing, joining, arithmetic, the bridge to NumPy."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = torch.tensor([[1, 2], [3, 4]], device=device)
    assert torch.ones_like(data).dtype == torch.int64
    assert torch.rand_like(data, dtype=torch.float).shape == torch.Size([2, 2])
    tensor = torch.ones(4, 4)
    tensor[:, 1] = 0
    assert tensor[0].tolist() == [1, 0, 1, 1] and tensor[..., 1].tolist() == [0, 0, 0, 0]
    assert torch.cat([tensor, tensor, tensor], dim=1).shape == (4, 12)
    y1, y2, y3 = tensor @ tensor.T, tensor.matmul(tensor.T), torch.rand_like(tensor)
    torch.matmul(tensor, tensor.T, out=y3)
    assert torch.equal(y1, y2) and torch.equal(y1, y3)
    z = torch.rand_like(tensor)
    torch.mul(tensor, tensor, out=z)
    assert (z == tensor * tensor).all()
    total = tensor.sum()
    assert isinstance(total.item(), float) and total.item() == 12
    tensor.add_(5)
    t = torch.ones(5)
    n = t.numpy()
    t.add_(1)
    np.add(n, 1, out=n)
    assert t.tolist() == [3.0] * 5


def test_autograd() -> None:
    """The computational graph, disabled tracking, Jacobian products of non-scalars."""
    x, y = torch.ones(5), torch.zeros(3)
    w, b = torch.randn(5, 3, requires_grad=True), torch.randn(3, requires_grad=True)
    z = torch.matmul(x, w) + b
    loss = nn.functional.binary_cross_entropy_with_logits(z, y)
    loss.backward()
    assert w.grad.shape == (5, 3) and b.grad.shape == (3,) and "Backward" in repr(loss.grad_fn)
    with torch.no_grad():
        assert not (torch.matmul(x, w) + b).requires_grad
    assert not z.detach().requires_grad
    inp = torch.eye(4, 5, requires_grad=True)
    out = (inp + 1).pow(2).t()
    out.backward(torch.ones_like(out), retain_graph=True)
    first = inp.grad.clone()
    out.backward(torch.ones_like(out), retain_graph=True)
    assert torch.equal(inp.grad, 2 * first)
    inp.grad.zero_()
    out.backward(torch.ones_like(out))
    assert torch.equal(inp.grad, first)


class Cubic(torch.autograd.Function):
    """P3(x) = (5 x^3 - 3 x) / 2, with its own gradient."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return 0.5 * (5 * x**3 - 3 * x)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * x**2 - 1)


def test_fit_a_sine() -> None:
    """By hand, with a custom function, and with nn and optim: the loss falls."""
    torch.manual_seed(0)
    x = torch.linspace(-math.pi, math.pi, 200)
    y = torch.sin(x)
    a, b, c, d = (torch.full((), start, requires_grad=True) for start in (0.0, -1.0, 0.0, 0.3))
    losses = []
    for _ in range(60):
        loss = (a + b * Cubic.apply(c + d * x) - y).pow(2).sum()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for weight in (a, b, c, d):
                weight -= 5e-5 * weight.grad
                weight.grad = None
    assert losses[-1] < 0.9 * losses[0]
    powers = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
    loss_function = nn.MSELoss(reduction="sum")
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(100):
        loss = loss_function(model(powers), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
