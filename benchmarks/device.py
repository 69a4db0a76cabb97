"""python -m benchmarks.device FILE: training and the k grid on a CUDA device, in rows like those of
the others.

Beside each: torch's own GRU (cuDNN), one network after another, and flash-kmeans (Yang et al.,
exact Lloyd in Triton) for one k after another. Rows with a `step` say how far that is from what the
device can do: its memory's bandwidth, measured by a copy, and its rate of float32 matrix
products."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import lisor
from benchmarks import kgrid, reviews, training
from benchmarks.measure import Scaled, Work, compare
from lisor.blocks import InMemory
from lisor.clustering.clustering import Clustering, cluster
from lisor.clustering.kmeans import seed_centers
from lisor.clustering.kmeans_torch import TorchIterations
from lisor.networks import hidden_states
from lisor.networks.classifier import Classifier
from lisor.networks.hidden_states import Points
from lisor.networks.trained import TrainedModel
from lisor.networks.training import design, train
from lisor.settings.models import ModelsSettings

DEVICE = torch.device("cuda")

PEERS = 2
"""Networks that the peer trains; scaled up to as many as ours."""

LARGE, BATCH, STEPS = 512, 256, 50
"""Hidden units of the stack whose rate is measured, sequences of a batch, and symbols of each."""


def main() -> None:
    """Measure, print and write."""
    rows: list[dict[str, Any]] = [
        {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    ]
    network, texts = reviews.train(kgrid.HIDDEN)
    points = hidden_states.collect(network, reviews.draw(texts, kgrid.POINTS // reviews.LENGTH))
    works = (grid(points), trials())
    for row in (
        *shares(points.state),
        *(asdict(compare(work, peak_memory(work))) for work in works),
    ):
        rows.append(row)
        print(json.dumps(row), flush=True)
    Path(sys.argv[1]).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def peak_memory(work: Work) -> float:
    """Megabytes of the device's memory that ours takes at most."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work.ours()
    return round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)


def trials() -> Work:
    """Twenty networks stacked; the peer's one after another."""
    words = lisor.words("000")
    models = ModelsSettings(cells=("gru",), hidden_size=training.HIDDEN)

    def ours() -> list[TrainedModel]:
        every = range(training.TRIALS)
        return train(words, cell="gru", models=models, settings=training.CONFIG, trials=every)

    def peer() -> Scaled:
        begun = time.perf_counter()
        found = [training._train_one(words, trial, DEVICE) for trial in range(PEERS)]
        return Scaled((time.perf_counter() - begun) * training.TRIALS / PEERS, found)

    def quality(ours: list[TrainedModel], peer: Scaled) -> str:
        accuracy = np.mean([training._accuracy_of(network) for network in ours])
        return (
            f"mean validation accuracy: ours {accuracy:.4f}, the peer's first {PEERS} "
            f"{np.mean(peer.result):.4f}"
        )

    return Work(name="training on CUDA, peer torch.nn.GRU", ours=ours, peer=peer, quality=quality)


def grid(points: Points) -> Work:
    """The grid from an array in main memory; the peer from seeds of k-means++ on a sample, each k
    until no center moves by more than the root of our tolerance."""
    from flash_kmeans import batch_kmeans_Euclid

    def ours() -> list[Clustering]:
        return cluster(points, kgrid.KS, method="kmeans", seed=0, threads=4, device=DEVICE)

    def peer() -> list[float]:
        states = points.state
        on_device = torch.as_tensor(states, device=DEVICE)
        seeds = torch.as_tensor(
            seed_centers(states[:: len(states) // 20_000], max(kgrid.KS), 0), device=DEVICE
        )
        tolerance = float(1e-4 * on_device.var(dim=0).mean()) ** 0.5
        inertias = []
        for k in kgrid.KS:
            how = {
                "init_centroids": seeds[None, :k].contiguous(),
                "max_iters": 300,
                "tol": tolerance,
            }
            labels, centers, _ = batch_kmeans_Euclid(on_device[None], k, **how)
            inertias.append(
                float((on_device - centers[0][labels[0].long()]).square().sum(dtype=torch.float64))
            )
        return inertias

    def quality(ours: list[Clustering], peer: list[float]) -> str:
        ratios = [own.inertia / other for own, other in zip(ours, peer, strict=True)]
        return (
            f"inertia / flash-kmeans: mean {np.mean(ratios):.4f}, from {min(ratios):.4f} to "
            f"{max(ratios):.4f}"
        )

    return Work(name="kgrid on CUDA, peer flash-kmeans", ours=ours, peer=peer, quality=quality)


def shares(states: np.ndarray) -> list[dict[str, Any]]:
    """One iteration for every k over all points, ours and flash-kmeans', beside the bandwidth; one
    step of training beside the rate of matrix products."""
    from flash_kmeans.kmeans_triton_impl import _euclid_iter

    points = torch.as_tensor(states, device=DEVICE)
    copied = torch.empty_like(points)
    bandwidth = 2 * points.nbytes / timed(lambda: copied.copy_(points))
    centers = [states[:k] for k in kgrid.KS]
    iterations = TorchIterations(InMemory(states), None, centers, DEVICE)
    ours = timed(iterations.assign)
    squares, starts = (
        points.square().sum(dim=1)[None],
        [torch.as_tensor(own, device=DEVICE)[None] for own in centers],
    )

    def flash() -> None:
        for start in starts:
            _euclid_iter(points[None], squares, start)

    read = len(centers) * points.nbytes
    found: list[dict[str, Any]] = [
        {"step": f"one iteration for k {kgrid.KS[0]}..{kgrid.KS[-1]}, {name}", "seconds": seconds,
         "unit": "TB/s", "reached": read / seconds / 1e12, "most": bandwidth / 1e12}
        for name, seconds in (("ours", ours), ("flash-kmeans", timed(flash)))
    ]  # fmt: skip
    return [*found, *(step_share(hidden) for hidden in (training.HIDDEN, LARGE))]


def step_share(hidden: int) -> dict[str, Any]:
    """One step of training twenty networks beside the device's rate of float32 matrix products."""
    size, trials = 8192, training.TRIALS
    square = torch.randn(size, size, device=DEVICE)
    rate = 2 * size**3 / timed(lambda: square @ square)
    models = ModelsSettings(cells=("gru",), hidden_size=hidden)
    architecture, vectors = design(lisor.words("000"), "gru", models)
    network = Classifier(architecture, list(range(trials)), vectors=vectors).to(DEVICE)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    read = torch.randint(2, (trials, BATCH, STEPS), device=DEVICE)
    lengths = torch.full((trials, BATCH), STEPS, device=DEVICE)
    labels = torch.randint(2, (trials, BATCH), device=DEVICE)

    def step() -> None:
        loss = cross_entropy(network(read, lengths).transpose(1, 2), labels, reduction="sum")
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()

    seconds = timed(step)
    done = (
        3 * 2 * trials * BATCH * STEPS * 3 * hidden * hidden
    )  # three products as large as the forward pass's
    return {"step": f"one of training {trials} gru of {hidden} units, {BATCH} sequences of "
                    f"{STEPS}", "seconds": seconds,
            "unit": "TFLOP/s", "reached": done / seconds / 1e12, "most": rate / 1e12}  # fmt: skip


def timed(work: Callable[[], object], runs: int = 5) -> float:
    """Median seconds of some runs, after one to warm up."""
    taken = []
    for _ in range(runs + 1):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        work()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken[1:]))


if __name__ == "__main__":
    main()
