"""Kernels: matchings on a matrix of whole amounts, repaired row by row, and what is sliced off along them."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["pad", "slice_off"]


@kernel
def _fill(left, rows, columns, row, column):
    """Add to one entry what both its lines lack."""
    more = min(rows[row], columns[column])
    left[row, column] += more
    rows[row] -= more
    columns[column] -= more


@kernel
def pad(left, level):
    """Raise all line sums to `level`: entries above 0 first, then the diagonal, then any entry."""
    n = len(left)
    rows = np.full(n, level)
    columns = np.full(n, level)
    for i in range(n):
        for j in range(n):
            rows[i] -= left[i, j]
            columns[j] -= left[i, j]
    for i in range(n):
        for j in range(n):
            if left[i, j] > 0 and rows[i] > 0 and columns[j] > 0:
                _fill(left, rows, columns, i, j)
    for i in range(n):
        _fill(left, rows, columns, i, i)
    j = 0
    for i in range(n):
        while rows[i] > 0:
            _fill(left, rows, columns, i, j)
            if columns[j] == 0:
                j += 1


@kernel
def _augment(left, least, row, target, source, unseen, queue, parent):
    """Match one free row on entries of `least` or more along a shortest alternating path."""
    n = len(left)
    for j in range(n):
        unseen[j] = j
    open_columns = n
    queue[0] = row
    head, tail = 0, 1
    while head < tail:
        i = queue[head]
        head += 1
        at = 0
        while at < open_columns:
            j = unseen[at]
            if left[i, j] < least:
                at += 1
                continue
            open_columns -= 1
            unseen[at] = unseen[open_columns]
            parent[j] = i
            if source[j] >= 0:
                queue[tail] = source[j]
                tail += 1
                continue
            while j >= 0:  # turn the path round
                i = parent[j]
                after = target[i]
                target[i] = j
                source[j] = i
                j = after
            return True
    return False


@kernel
def _repair(left, least, target, source, unseen, queue, parent):
    """Free the rows whose entry fell below `least` and match them again; False if that cannot be."""
    n = len(left)
    for i in range(n):
        j = target[i]
        if j >= 0 and left[i, j] < least:
            target[i] = -1
            source[j] = -1
    for i in range(n):  # whatever column is free at once
        if target[i] < 0:
            for j in range(n):
                if source[j] < 0 and left[i, j] >= least:
                    target[i] = j
                    source[j] = i
                    break
    for i in range(n):
        if target[i] < 0 and not _augment(left, least, i, target, source, unseen, queue, parent):
            return False
    return True


@kernel
def slice_off(left, least, whole, target, source, targets, amounts):
    """Take perfect matchings off a matrix with equal line sums until the output is full or nothing is left.

    Each lies on entries of `least` or more; where there is none, `least` is halved. What is taken is the
    smallest entry of the matching if `whole`, and `least` if not. `target` and `source` hold the matching
    between calls. Returns how many were taken and the `least` to go on with (0: nothing is left).
    """
    n = len(left)
    unseen = np.empty(n, np.int64)
    queue = np.empty(n, np.int64)
    parent = np.empty(n, np.int64)
    count = 0
    while least > 0 and count < len(amounts):
        if not _repair(left, least, target, source, unseen, queue, parent):
            least //= 2
            continue
        amount = least
        if whole:
            amount = left[0, target[0]]
            for i in range(n):
                amount = min(amount, left[i, target[i]])
        for i in range(n):
            left[i, target[i]] -= amount
            targets[count, i] = target[i]
        amounts[count] = amount
        count += 1
    return count, least
