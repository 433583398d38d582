"""Pure compute on values: no Ray, no network, no threads, no clock."""
