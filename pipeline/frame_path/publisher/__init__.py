"""The publisher of cameras: rules, episodes, evidence and the outbox, and what goes onto the wire."""
