"""What `main.py try` is made of."""
