"""The Lambdas: every module directly here is deployed as one function."""
