"""The CDK constructs and stacks."""
