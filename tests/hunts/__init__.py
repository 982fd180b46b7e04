"""Seeded bugs in the engine and the runtime, and the hunts that must find each of them."""
