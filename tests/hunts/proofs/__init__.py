"""For each seeded bug a story that shows it."""
