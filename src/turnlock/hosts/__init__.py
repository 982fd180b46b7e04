"""Hosts: other event loops, and threads, around what runs under trio."""
