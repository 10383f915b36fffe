"""The manifest of what the server is held to, by area; `tests.contract.requirements` joins it."""
