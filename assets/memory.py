"""Memory that was freed, given back to the machine: allocators keep it for a next time that may never come."""

import ctypes
import gc
from contextlib import suppress

import pyarrow as pa


def give_back() -> None:
    """Give back what stages before have let go, so that the next one's tables do not come on top of it."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    with suppress(AttributeError, OSError):  # the C library of Linux alone is asked to
        ctypes.CDLL(None).malloc_trim(0)
