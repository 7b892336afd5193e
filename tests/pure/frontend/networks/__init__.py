"""Networks: what is decided without a kernel."""
