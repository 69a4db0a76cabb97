"""k-means for k from 2 to 16 on 10,000,000 hidden states of 64 units in a Parquet file, beside
MiniBatchKMeans."""

from __future__ import annotations

import atexit
import shutil
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from benchmarks import reviews
from benchmarks.measure import THREADS, Work
from lisor.clustering.clustering import Clustering, cluster
from lisor.networks.hidden_states import HiddenStates, dump

POINTS, HIDDEN, KS = 10_000_000, 64, range(2, 17)


def works() -> list[Work]:
    """The grid as ours; as the peer one MiniBatchKMeans for each k, all fitted in one pass over the
    file and asked for labels and inertia in a second."""
    network, texts = reviews.train(HIDDEN)
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    dump(
        network, reviews.as_validation(texts, reviews.draw(texts, POINTS // reviews.LENGTH)), folder
    )
    states = HiddenStates(folder=folder)

    def ours() -> list[Clustering]:
        return cluster(states, KS, method="kmeans", seed=0, threads=THREADS)

    def peer() -> list[float]:
        models = [MiniBatchKMeans(k, random_state=0, n_init=1) for k in KS]
        for block in states.blocks():
            for model in models:
                model.partial_fit(block)
        inertias = np.zeros(len(models))
        for block in states.blocks():
            for place, model in enumerate(models):
                labels = model.predict(block)
                inertias[place] += np.square(block - model.cluster_centers_[labels]).sum(
                    dtype=np.float64
                )
        return inertias.tolist()

    def quality(ours: list[Clustering], peer: list[float]) -> str:
        ratios = [own.inertia / other for own, other in zip(ours, peer, strict=True)]
        return (
            f"inertia / the peer's: mean {np.mean(ratios):.4f}, from {min(ratios):.4f} to "
            f"{max(ratios):.4f}"
        )

    return [Work(name="kgrid-stream, peer MiniBatchKMeans", ours=ours, peer=peer, quality=quality)]
