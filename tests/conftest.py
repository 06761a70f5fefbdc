"""Settings that every test runs under."""

import os

import pytest
from hypothesis import HealthCheck, settings

# The first example of a property pays for compiling a kernel: no deadline, no complaint about slow data.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure(config: pytest.Config) -> None:
    """Give each parallel worker a kernel cache of its own: a first compile from several processes races."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        shared = os.environ.get("NUMBA_CACHE_DIR") or str(config.rootpath / ".numba_cache")
        os.environ["NUMBA_CACHE_DIR"] = os.path.join(shared, worker)
