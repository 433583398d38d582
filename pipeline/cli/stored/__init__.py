"""`state`: what a stopped pipeline keeps."""
