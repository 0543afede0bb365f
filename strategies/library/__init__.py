"""The twelve strategies, one file a category, and the arithmetic they stand on."""
