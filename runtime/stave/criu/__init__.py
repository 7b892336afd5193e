"""criu, the program that checkpoints and restores processes, over its own protocol.

Used by the commands `checkpoint` and `restore` only. Source: criu(8), https://criu.org/RPC
"""
