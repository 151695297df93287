"""Which rows are for what: names and sizes of splits (without numpy), and the rules by which they are drawn."""
