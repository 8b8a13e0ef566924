"""What leaves: Parquet shards, manifest, dataset card, and the shapes that trainers read."""

from exports.check import verify
from exports.folder import copy_dataset, write_dataset

__all__ = ["copy_dataset", "verify", "write_dataset"]
