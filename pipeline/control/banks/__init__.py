"""A class is added to a bank while everything runs."""
