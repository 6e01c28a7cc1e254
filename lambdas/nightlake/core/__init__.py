"""Pure: no boto3, no environment, no clock."""
