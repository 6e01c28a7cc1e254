"""The functions a query may call; every other is refused."""
