"""Thin Dagster assets: each stage calls the packages to its right, writes its tables and shows them."""
