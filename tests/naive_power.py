"""Slow, obvious twins of the power models: one GPU at a time, one hour at a time, every choice tried."""


def voltage(clock, v):
    if clock <= v["knee"]:
        return v["least_voltage"]
    return v["least_voltage"] + (1 - v["least_voltage"]) * (clock - v["knee"]) / (1 - v["knee"])


def gpu_power(parts, load, clock, v):
    square = voltage(clock, v) ** 2
    awake = parts.static * (1 - v["leakage"]) + parts.static * v["leakage"] * square + parts.refresh
    asleep = max(min(parts.idle, awake), parts.refresh)
    rest = asleep + v["between_bursts"] * (awake - asleep) if load else asleep
    busy = min(1.0, load * max(1.0, v["compute in use"] / clock))
    total = busy * awake + (1 - busy) * rest
    total += parts.compute * load * v["compute in use"] * square
    total += parts.memory * min(1.0, load * v["memory in use"])
    traffic = min(1.0, load * v["network in use"])
    return total + parts.network * traffic + parts.light_static + parts.light_moving * traffic


def lowest_clock(load, v):
    return min(1.0, max(v["least_clock"], load * v["compute in use"]))


def cluster(count, unit, work, least, parts, load, policy, v):
    """Power and GPUs that are on: every number of units is tried where a policy may choose."""
    best = None
    units = range(1, -(-count // unit) + 1)
    for k in units:
        on = min(k * unit, count)
        enough = on * work >= load * (1 - 1e-9) and on >= min(least, count)
        if not enough or (policy in ("all_on", "dvfs") and on < count):
            continue
        each = min(1.0, load / (on * work))
        clock = lowest_clock(each, v) if "dvfs" in policy else 1.0
        off = parts.gated if "gate" in policy else parts.idle + parts.light_static
        power = 0.0
        for i in range(count):
            power += gpu_power(parts, each, clock, v) if i < on else off
        if policy in ("idle", "gate"):
            return power, on
        if best is None or power < best[0]:
            best = (power, on)
    return best


def day(hours, loads, **how):
    """Energy in J, with what waking takes: every GPU that is on now and was not before, for its wake time."""
    parts, v, policy = how["parts"], how["v"], how["policy"]
    energy, before = 0.0, None
    ends = [*hours[1:], 24.0]
    found = [cluster(load=load, **how) for load in loads]
    before = found[-1][1]
    for (power, on), start, end in zip(found, hours, ends, strict=True):
        energy += power * (end - start) * 3600
        if "gate" in policy and on > before:
            for _ in range(on - before):
                energy += (parts.static + parts.refresh + parts.light_static) * v["wake_time"]
        before = on
    return energy
