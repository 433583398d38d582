"""`scene`: the learnt empty views of cameras; one file per sub-command."""
