"""One module per Lambda function: parse, call one service, respond."""
