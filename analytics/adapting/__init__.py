"""What was learnt flows back into the strategies: the lanes, what they are played on, and how people steer them."""
