"""Where texts come from: tables and folders."""
