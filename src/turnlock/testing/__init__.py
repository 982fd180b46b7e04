"""For other people's tests: schedules, the strict provider, gated tools, sequencing tests."""
