"""What AWS's reference says about each shape of DynamoDB call, checked on any endpoint."""
