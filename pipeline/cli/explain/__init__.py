"""`main.py explain ALERT_ID`."""
