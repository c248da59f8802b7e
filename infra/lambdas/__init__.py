"""The Lambda functions: what each is for, how long it may run and exactly what it may access."""
