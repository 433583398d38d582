"""The Ray actors, how they are started and called, and what their nodes are given."""
