"""Running programs nobody trusts: a fork server that the kernel holds, and values that cross as strict JSON."""
