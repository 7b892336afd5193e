"""The C side: the interpreter of Programs, stave-init, the launcher, and the module that starts them."""
