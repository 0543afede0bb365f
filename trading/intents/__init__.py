"""What people and the advisor intend: plans, price alerts, and the engine that carries them out."""
