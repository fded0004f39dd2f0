"""What the API server asks of others over HTTPS: to convert custom resources, to admit objects."""
