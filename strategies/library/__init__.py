"""The twelve strategies, one file a category: four that run, and what the other eight still lack."""
