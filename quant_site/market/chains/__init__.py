"""Real option chains: read from files, checked row by row, and stored a session each."""
