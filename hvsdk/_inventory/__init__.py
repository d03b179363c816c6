"""The inventory: snapshots of what a fleet had, kept in a file of SQLite."""
