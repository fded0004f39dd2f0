"""The same requests to Sampan's API server and to upstream's, and what differs between the answers."""
