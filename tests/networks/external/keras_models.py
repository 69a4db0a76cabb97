"""Keras models on torch, written and trained as the guides of Keras do it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from tempfile import TemporaryDirectory
from unittest.mock import patch

from torch import Tensor, nn

from tests.networks.external.catalogue import contains_000, random_words

# Keras reads these where it is imported, and writes its settings into the folder.
FOLDER = TemporaryDirectory()
with patch.dict(os.environ, KERAS_BACKEND="torch", KERAS_HOME=FOLDER.name):
    import keras
    from keras import layers


def embedding_and_lstm() -> keras.Model:
    """Whole numbers in, a probability out, with dropout."""
    return keras.Sequential(
        [
            keras.Input(shape=(None,), dtype="int32"),
            layers.Embedding(2, 8),
            layers.LSTM(16),
            layers.Dropout(0.1),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def stacked() -> keras.Model:
    """The functional form, with the floating input that Keras takes where no type is said."""
    inputs = keras.Input(shape=(None,))
    states = layers.GRU(16, return_sequences=True)(layers.Embedding(2, 8)(inputs))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.SimpleRNN(16)(states)))


def masked() -> keras.Model:
    """Symbols from 1, where 0 pads."""
    return keras.Sequential(
        [
            keras.Input(shape=(None,), dtype="int32"),
            layers.Embedding(3, 8, mask_zero=True),
            layers.LSTM(16),
            layers.Dense(2, activation="softmax"),
        ]
    )


def tagger() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(shape=(None,), dtype="int32"),
            layers.Embedding(2, 8),
            layers.LSTM(16, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2, activation="softmax")),
        ]
    )


def pooled() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(shape=(None,), dtype="int32"),
            layers.Embedding(2, 8),
            layers.GRU(16, return_sequences=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def of_vectors() -> keras.Model:
    return keras.Sequential(
        [keras.Input(shape=(None, 2)), layers.LSTM(16), layers.Dense(1, activation="sigmoid")]
    )


class Subclass(keras.Model):
    """A model of one's own, with a cell in a layer that loops over it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = layers.Embedding(2, 8)
        self.recurrent = layers.RNN([layers.GRUCell(16), layers.LSTMCell(16)])
        self.normed = layers.LayerNormalization()
        self.dense = layers.Dense(2, activation="softmax")

    def call(self, words: Tensor, training: bool | None = None) -> Tensor:
        states = self.recurrent(self.embedding(words), training=training)
        return self.dense(self.normed(states))


def bidirectional() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(shape=(None,), dtype="int32"),
            layers.Embedding(2, 8),
            layers.Bidirectional(layers.LSTM(8)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def train(
    build: Callable[[], keras.Model],
    read: Callable[[Tensor], Tensor] = lambda words: words,
    *,
    per_step: bool = False,
) -> nn.Module:
    """A model compiled and fitted to whether words, or all their prefixes, contain 000."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            words = random_words()
            labels = contains_000(words).long()
            yield read(words), labels if per_step else labels[:, -1:]

    keras.utils.set_random_seed(0)
    model = build()
    is_one = model(read(random_words())).shape[-1] == 1
    loss = "binary_crossentropy" if is_one else "sparse_categorical_crossentropy"
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    model.fit(batches(), steps_per_epoch=500, shuffle=False, verbose=0)
    return model


MASKED = partial(train, masked, lambda words: words + 1)

TRAINED: dict[str, Callable[[], nn.Module]] = {
    "Embedding, LSTM, Dense": partial(train, embedding_and_lstm),
    "GRU, SimpleRNN": partial(train, stacked),
    "TimeDistributed": partial(train, tagger, per_step=True),
    "GlobalAveragePooling1D": partial(train, pooled),
    "one-hot vectors": partial(train, of_vectors, lambda w: nn.functional.one_hot(w, 2).float()),
    "RNN of cells, subclassed": partial(train, Subclass),
}
"""Models by what they are made of."""
