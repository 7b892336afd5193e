"""An ordinary user's cooper: `namespaces` makes the user root of a user namespace of one's own, in which all else is
as for root; `idmaps` says which ids there are in it."""
