"""The parts of the query API that its function puts together."""
