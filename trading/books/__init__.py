"""The books: cash, positions, equity and journal to the cent, and how they stand beside the broker's."""
