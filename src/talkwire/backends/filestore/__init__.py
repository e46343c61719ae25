"""Where the bytes of hosted files lie: the port, and the local-disk adapter."""
