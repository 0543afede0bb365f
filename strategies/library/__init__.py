"""The twelve strategies: a file for each category, some with files of their own, and the arithmetic they stand on."""
