"""A PyTorch training loop whose network runs on raygrad: one line changes.

python examples/remote.py
python examples/remote.py --target 127.0.0.1:50051      # after `raygrad serve`
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

import raygrad as rg

STEPS, POINTS = 200, 128


def network() -> nn.Module:
    """A classifier of points in the plane; the batch norm's running statistics follow."""
    return nn.Sequential(nn.Linear(2, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))


def rings(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points within the circle of radius 1, and in the ring around it up to radius 2."""
    label = torch.randint(0, 2, (POINTS,), generator=generator)
    radius = torch.rand(POINTS, generator=generator) + label
    angle = 2 * torch.pi * torch.rand(POINTS, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), label


def main() -> None:
    """Train, then test on points that were not seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--target", metavar="HOST:PORT", help="a server; without, this process does the work")
    target = parser.parse_args().target
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = network()
    model = rg.torch.Remote(model, target)  # the one line
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(STEPS):
        x, label = rings(generator)
        loss = nn.functional.cross_entropy(model(x), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            print(f"step {step + 1}  loss {loss.item():.4f}")
    x, label = rings(generator)
    model.eval()
    print(f"test accuracy {(model(x).argmax(dim=1) == label).double().mean():.1%}")


if __name__ == "__main__":
    main()
