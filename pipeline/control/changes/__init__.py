"""Cameras come, go and change while it runs."""
