"""The tests. Each names the clauses that it decides, and judges by what a process in the container sees."""
