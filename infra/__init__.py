"""The infrastructure: constructs, stacks and typed settings."""

import os

# jsii prints a banner on every start with a Node version past its end of life; README says it once.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
