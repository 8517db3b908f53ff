"""The store on the ClickHouse engine, embedded or as a server."""
