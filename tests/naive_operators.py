"""Slow, obvious twins of the time models: one number at a time, and jobs dealt to SMs one by one."""

import heapq
import math

SPLITS = (1, 2, 3, 4, 6, 8)
SHAPES = ((64, 128), (64, 256), (128, 128), (128, 256), (256, 128))


def together(a, b):
    longer, shorter = max(a, b), min(a, b)
    return longer * (1 + (shorter / longer) ** 7) ** (1 / 7)


def naive_matmul(m, n, k, count, traffic, form_bytes, peak, bandwidth, sms, c, lasting=False, output=2.0):
    """Best time over all tilings, without launching."""
    share = c.half if form_bytes > 1 else c.byte
    best = math.inf
    for rows, columns in SHAPES:
        for split in SPLITS:
            step = 32 / form_bytes
            depth = math.ceil(k / (split * step)) * step
            loss = (1 + c.tile * (1 / rows + 1 / columns)) / (1 + c.tile * (1 / 128 + 1 / 256))
            rate = peak * share / sms / loss
            tiles = count * math.ceil(m / rows) * math.ceil(n / columns) * split
            even = tiles / sms
            waves = max(1.0, even + c.quantisation * (math.ceil(even) - even))
            written = c.epilogue * rows * columns * (4.0 if split > 1 else output) / (bandwidth / sms)
            computing = waves * (2 * rows * columns * depth / rate + written)
            computing *= 1 + c.sag * (1.0 if lasting else computing / (computing + 2e-3))
            waiting = c.step * depth * form_bytes / 128
            if split > 1:
                waiting += c.split + 2 * 4.0 * count * m * n * split / (2 * bandwidth)
            best = min(best, together(computing, traffic / (bandwidth * c.memory)) + waiting)
    return best


def list_schedule(jobs, sms):
    """Finish time of jobs given, longest first, to whichever SM is free."""
    free = [0.0] * sms
    for job in sorted(jobs, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + job)
    return max(free)
