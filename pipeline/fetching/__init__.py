"""Files that a configuration names by an address: what can be wrong with it, how it is asked, where copies are kept."""
