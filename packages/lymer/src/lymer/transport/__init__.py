"""What stands between a socket and a door: encryption, access, and what web pages may send."""
