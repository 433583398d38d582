"""`main.py demo`: servers, cameras, alerts and a proof, on one machine with one command."""
