"""`main.py drive-in`: what a camera reads of a vehicle that stands at a known distance."""
