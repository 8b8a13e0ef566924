"""One script a figure: `make -s bench NAME=<name>` prints progress, then one JSON object on the last line."""
