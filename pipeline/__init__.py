"""Everything that waits, connects or fails."""
