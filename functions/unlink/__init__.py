"""What the Lambdas share: model, errors, settings, stores, procedures and the HTTP edge."""
