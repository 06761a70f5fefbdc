"""A compiled heap of items with keys that can rise, fall and leave."""

from collections import namedtuple

import numpy as np

from topo_sim.base.jit import borrowed, kernel

__all__ = ["Heap", "heap_drop", "heap_new", "heap_set", "heap_view"]

NODE = np.dtype([("key", np.float64), ("place", np.int64)])

# Per item its key and its place in `items` (-1: absent); `items[:count[0]]` is the heap, least key first.
Heap = namedtuple("Heap", "node items count")


@kernel
def heap_new(width):
    """Make an empty heap for items 0 to width - 1."""
    node = np.empty(width, NODE)
    for i in range(width):
        node[i].place = -1
    return Heap(node, np.empty(width, np.int32), np.zeros(1, np.int64))


@kernel
def heap_view(heap):
    """See a heap without counting references; its owner has to keep it alive."""
    return Heap(borrowed(heap.node), borrowed(heap.items), borrowed(heap.count))


@kernel
def _settle(item, value, i, node, items, size):
    """Put an item with a key into the hole at place i, or where the order wants it."""
    while i > 0:
        above = items[(i - 1) >> 1]
        if node[above].key <= value:
            break
        items[i] = above
        node[above].place = i
        i = (i - 1) >> 1
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        below = items[child]
        if child + 1 < size and node[items[child + 1]].key < node[below].key:
            child += 1
            below = items[child]
        if node[below].key >= value:
            break
        items[i] = below
        node[below].place = i
        i = child
    items[i] = item
    node[item].place = i
    node[item].key = value


@kernel
def heap_set(item, value, node, items, count):
    """Enter an item, or change its key."""
    i = node[item].place
    if i < 0:
        i = count[0]
        count[0] += 1
    elif node[item].key == value:
        return
    _settle(item, value, i, node, items, count[0])


@kernel
def heap_drop(item, node, items, count):
    """Take an item out, if it is there."""
    i = node[item].place
    if i < 0:
        return
    node[item].place = -1
    count[0] -= 1
    last = items[count[0]]
    if last != item:
        _settle(last, node[last].key, i, node, items, count[0])
