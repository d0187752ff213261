"""One module a consumer: its `CONSUMER` says how it is installed, and what of it reads each target."""
