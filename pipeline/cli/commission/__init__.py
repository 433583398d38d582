"""What `main.py commission` is made of."""
