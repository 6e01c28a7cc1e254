"""What the query API answers, from HEAD's files alone: never from the catalog."""
