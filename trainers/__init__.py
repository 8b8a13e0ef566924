"""The second code location, for GPUs: training on exported datasets, each worker in an environment of its own."""
