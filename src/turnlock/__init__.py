"""The turn engine for agents."""
