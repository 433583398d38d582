"""`main.py replay`: rules over recorded results again."""
