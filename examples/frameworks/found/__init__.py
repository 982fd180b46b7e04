"""What the fuzzer found: tests that it wrote, and that fail while the finding shows."""
