"""What turns an uploaded document into vectors, as the deployed ingestion does, on this machine."""
