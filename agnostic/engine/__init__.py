"""How a model runs: the model a user holds, its sessions, its targets and its preprocessing."""
