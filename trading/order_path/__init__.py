"""The order path: from a ticket or a signal to the broker, and back by its evidence."""
