"""A matrix product backwards, without a second copy of its matrix in an exported file.

It owns one trick of the export; it does not know what the matrix is for.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def backward(dy: tf.Tensor, product: Callable[[tf.Tensor], tf.Tensor], width: int) -> tf.Tensor:
    """From the derivative by y = x W that by x: dy W^T.

    An export would store W^T beside W, which are most of a model's bytes. So W is read off the forward product, which
    is stored anyway: `product` of the unit matrix.

    Args:
        dy: derivative by y, (..., O).
        product: x (N, I) to x W, (N, O), with the kernel that the forward pass uses.
        width: I.

    Returns:
        The derivative by x, (..., I).
    """
    matrix = product(unit(width, dy))  # (I, O)
    flat = tf.matmul(tf.reshape(dy, (-1, dy.shape[-1])), matrix, transpose_b=True)
    return tf.reshape(flat, tf.concat([tf.shape(dy)[:-1], [width]], axis=0))


def unit(width: int, like: tf.Tensor) -> tf.Tensor:
    """The unit matrix (I, I), made when it is needed: from the shape of `like`, for a constant would be stored."""
    places = tf.range(width) + tf.minimum(tf.shape(like)[0], 1) - 1
    return tf.cast(tf.equal(tf.expand_dims(places, 0), tf.expand_dims(places, 1)), tf.float32)
