"""The tests. A package, since merkletools installs one that is also named tests."""
