"""From a parsed statement to DuckDB SQL, with Trino's types at every node."""
